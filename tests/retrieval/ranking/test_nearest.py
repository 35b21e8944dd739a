import numpy as np
import pytest
import torch

from lowlabel.errors import InputError
from lowlabel.retrieval.ranking.nearest import nearest


@pytest.mark.parametrize("block", [2**25, 200])
@pytest.mark.parametrize("leave_out", [True, False])
def test_nearest_equals_a_full_sort(monkeypatch, block, leave_out):
    monkeypatch.setattr("lowlabel.retrieval.ranking.blocks.BLOCK_VALUES", block)
    rng = np.random.default_rng(0)
    gallery = rng.standard_normal((70, 6))
    queries, itself = gallery[20:50], np.arange(20, 50)
    similarity = queries @ gallery.T
    lowest = similarity.min(axis=1)
    if leave_out:
        similarity[np.arange(30), itself] = -np.inf
    order = np.argsort(-similarity, axis=1)[:, :9]
    found = nearest(
        torch.from_numpy(queries),
        torch.from_numpy(gallery),
        9,
        self_rows=torch.from_numpy(itself) if leave_out else None,
        lowest=True,
    )
    np.testing.assert_array_equal(found.rows, order)
    np.testing.assert_allclose(found.similarity, np.take_along_axis(similarity, order, 1))
    np.testing.assert_allclose(found.lowest, lowest)


def test_more_neighbours_than_images():
    rows = torch.eye(5)
    with pytest.raises(InputError, match="6 neighbours were requested from a gallery with 5"):
        nearest(rows, rows, 6)
    with pytest.raises(InputError, match="5 neighbours were requested from a gallery with 4"):
        nearest(rows, rows, 5, self_rows=torch.arange(5))
