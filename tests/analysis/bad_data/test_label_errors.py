import numpy as np
import pytest
from cleanlab.filter import find_label_issues

from lowlabel.analysis.bad_data import label_errors
from lowlabel.analysis.bad_data.label_errors import find_label_errors
from lowlabel.analysis.outliers import nearest_others
from lowlabel.errors import InputError


def clusters(classes, images, seed=0):
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), images) * 7
    centres = random.normal(size=(classes, 8))
    return centres.repeat(images, axis=0) + 0.2 * random.normal(size=(len(labels), 8)), labels


def shares_of(labels, others):
    """Shares of the votes, one image at a time."""
    classes = np.unique(labels)
    votes = np.exp(others.cosines / 0.07)
    shares = [
        [weights[labels[rows] == name].sum() / weights.sum() for name in classes]
        for weights, rows in zip(votes, others.rows, strict=True)
    ]
    return np.array(shares)


@pytest.mark.parametrize("cells", [40, 2**22])
def test_flipped_labels_are_found_with_their_class(monkeypatch, cells):
    monkeypatch.setattr(label_errors, "_BLOCK_CELLS", cells)
    features, labels = clusters(5, 40)
    given = labels.copy()
    given[::20] = (given[::20] + 7) % 35
    others = nearest_others(features, 20, device="cpu")
    found = find_label_errors(given, others)
    shares = shares_of(given, others)
    rows = np.arange(len(labels))
    np.testing.assert_allclose(found.quality, shares[rows, given // 7], rtol=1e-9)
    assert np.flatnonzero(found.flagged).tolist() == rows[::20].tolist()
    assert (found.suggested[::20] == labels[::20]).all()
    issues = find_label_issues(given // 7, shares, filter_by="low_self_confidence", n_jobs=1)
    assert set(np.flatnonzero(found.flagged)) <= set(np.flatnonzero(issues))


def test_right_labels_are_not_flagged_and_unequal_classes_work():
    features, labels = clusters(3, 30)
    rows = np.r_[0:30, 30:33, 60:80]
    others = nearest_others(features[rows], 20, device="cpu")
    found = find_label_errors(labels[rows], others)
    assert not found.flagged[:30].any()
    assert found.quality.shape == (53,)


def test_two_images_of_two_classes_have_an_answer():
    others = nearest_others(np.eye(2), 20, device="cpu")
    found = find_label_errors(np.array([4, 9]), others)
    assert found.quality.tolist() == [0, 0]
    assert found.suggested.tolist() == [9, 4]


def test_one_class_is_refused():
    with pytest.raises(InputError, match="need 2 classes, not 1"):
        find_label_errors(np.zeros(3, int), nearest_others(np.eye(3), 2, device="cpu"))
