import numpy as np
import pytest

from lowlabel.analysis.bad_data import leakage
from lowlabel.analysis.bad_data.leakage import find_leakage
from lowlabel.errors import InputError


def setting():
    random = np.random.default_rng(0)
    test, train = random.normal(size=(30, 8)), random.normal(size=(70, 8))
    train[[5, 40, 66]] = 3 * test[[1, 2, 3]]
    train[41] += 0.001 * random.normal(size=8)
    contents = [f"a{n}".encode() for n in range(30)], [f"b{n}".encode() for n in range(70)]
    contents[1][50] = contents[0][7]
    return test, train, contents


@pytest.mark.parametrize("rows", [4, 1024])
def test_the_nearest_image_is_that_of_a_brute_force(monkeypatch, rows):
    monkeypatch.setattr(leakage, "_BLOCK_ROWS", rows)
    test, train, contents = setting()
    found = find_leakage(test, np.split(train, [10, 33]), contents, device="cpu")
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (test, train)]
    distances = 1 - unit[0] @ unit[1].T
    expected = distances.argmin(axis=1)
    expected[7] = 50
    assert found.rows.tolist() == expected.tolist()
    np.testing.assert_allclose(found.distances, distances.min(axis=1).clip(0), atol=1e-12)
    assert np.flatnonzero(found.near).tolist() == [1, 2, 3]
    assert np.flatnonzero(found.exact).tolist() == [7]
    itself = 1 - unit[0] @ unit[0].T + 9 * np.eye(30)
    assert found.threshold == pytest.approx(0.13 * np.median(itself.min(axis=1)))


def test_one_test_image_needs_a_distance():
    test, train, _ = setting()
    contents = [b"x"], [b"y"] * 70
    with pytest.raises(InputError, match="1 test image") as error:
        find_leakage(test[1:2], [train], contents, device="cpu")
    assert "--distance" in error.value.hint
    found = find_leakage(test[1:2], [train], contents, distance=0.01, device="cpu")
    assert found.near.tolist() == [True]


def test_no_pretraining_image_and_other_widths_are_refused():
    test, train, contents = setting()
    with pytest.raises(InputError, match="no readable image"):
        find_leakage(test, [], contents, device="cpu")
    with pytest.raises(InputError, match="7"):
        find_leakage(test, [train[:, :7]], contents, device="cpu")
