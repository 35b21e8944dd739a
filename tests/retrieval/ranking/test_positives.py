import numpy as np
import pytest
import torch

from lowlabel.retrieval.ranking.positives import (
    find_positives,
    gallery_layout,
    leave_one_out_layout,
)


@pytest.mark.parametrize("classes", [1, 7, 60])
def test_a_class_is_one_run_of_the_gallery(classes):
    labels = torch.from_numpy(np.random.default_rng(0).integers(-3, classes, 100))
    layout = leave_one_out_layout(labels)
    assert layout.queries is layout.gallery
    assert sorted(layout.queries.tolist()) == list(range(100))
    assert layout.positives.tolist() == sorted(layout.positives.tolist())
    for place, row in enumerate(layout.queries.tolist()):
        start, stop = layout.start[place], layout.stop[place]
        assert start <= place < stop
        same = (labels == labels[row]).nonzero().flatten().tolist()
        assert layout.gallery[start:stop].tolist() == same
        assert layout.positives[place] == len(same) - 1


def test_a_gallery_may_lack_a_query_s_class():
    queries, gallery = torch.tensor([5, 1, 9, 3, -4, 1]), torch.tensor([3, 1, 5, 3, 7, 3])
    layout = gallery_layout(queries, gallery)
    assert layout.positives.tolist() == [0, 0, 1, 1, 1, 3]
    for place, row in enumerate(layout.queries.tolist()):
        run = layout.gallery[layout.start[place] : layout.stop[place]]
        assert run.tolist() == (gallery == queries[row]).nonzero().flatten().tolist()


def test_groups_are_runs_of_equal_size():
    layout = leave_one_out_layout(torch.tensor([0, 0, 1, 2, 2, 3, 3, 3]))
    assert list(layout.groups(0, 8)) == [(0, 0, 1), (1, 1, 5), (2, 5, 8)]
    assert list(layout.groups(2, 6)) == [(1, 2, 5), (2, 5, 6)]


@pytest.mark.parametrize("tie", [None, 1e-13])
def test_positives_stand_best_first(tie):
    layout = leave_one_out_layout(torch.tensor([4, 4, 8, 4, 4]))
    cosines = torch.tensor([1, 0.3, 0, 0.5, 0.3 + 1e-14], dtype=torch.float64)
    found = find_positives(
        layout, 1, 2, lambda _b, _e, places: cosines[layout.gallery[places]], tie
    )
    assert layout.queries[1] == 0
    assert found.offsets.tolist() == [0, 3]
    assert found.cosine.tolist() == pytest.approx([0.5, 0.3, 0.3])
    assert found.rows.tolist() == ([] if tie is None else [3, 1, 4])
    assert (found.cosine[1] == found.cosine[2]) == (tie is not None)
