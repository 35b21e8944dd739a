"""Rectified prototypes, by hand and at the edges."""

import pytest
import torch

from lowlabel.fewshot.rectification import rectified_prototypes
from lowlabel.fewshot.support import Support

SUPPORT = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])
QUERY = torch.tensor([[[0.8, 0.6], [0.6, 0.8]]])  # shifted by -0.2: (0.6, 0.4) and (0.4, 0.6)


@pytest.mark.parametrize(
    ("rectification", "first"),
    [
        # softmax of 10 · (1, 0) and of 10 · (0.83205, 0.55470): 0.999955 and 0.941237
        ("released", [(0.999955 + 0.6 * 0.941237) / 2, 0.4 * 0.941237 / 2]),
        # exp of 10 · (1 - 0.83205) is 5.3629: the weight of the support image beside the query
        ("paper", [(5.3629 + 0.6) / 6.3629, 0.4 / 6.3629]),
    ],
)
def test_a_class_has_the_mean_of_its_weighted_images(rectification, first):
    expected = torch.tensor([[first, first[::-1]]])
    found = rectified_prototypes(Support.of(SUPPORT), QUERY, 10.0, rectification)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_an_uncertain_class_has_a_shorter_prototype():
    near = torch.tensor([[[0.9, 0.1], [0.1, 0.9]]])
    support = Support.of(SUPPORT)
    sure, unsure = (rectified_prototypes(support, query, 10.0) for query in (near, QUERY))
    assert (unsure.norm(dim=-1) < sure.norm(dim=-1)).all()


def test_a_class_without_images_keeps_its_mean():
    """Each image of the second class is nearer to another class than to its own mean."""
    x, y, z = torch.eye(3)
    support = torch.stack([torch.stack([x, x]), torch.stack([x, y]), torch.stack([y, y])])[None]
    query = torch.stack([x, y])[None] + 0.2 * z
    found = rectified_prototypes(Support.of(support), query, 10.0)
    torch.testing.assert_close(found[0, 1], (x + y) / 2)
    assert (found[0, ::2].norm(dim=-1) < 1).all()
