import torch

from lowlabel.fewshot.prototypes import (
    nearness,
    neighbour_mask,
    product,
    soft_means,
    squared_distances,
)
from lowlabel.fewshot.support import Support


def doubles(*shape):
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_they_compute_what_their_formulas_say():
    rows, matrix = doubles(2, 4, 6), doubles(2, 6, 5)
    assert torch.allclose(product(rows, matrix), rows @ matrix)
    points, means = doubles(2, 7, 5), doubles(2, 4, 5) - 1
    squares = torch.cdist(means, points) ** 2
    assert torch.allclose(nearness(points, means), (squares[:, :1] - squares) / 2)
    support, assigned = doubles(2, 4, 3, 5), doubles(2, 4, 7)
    sums = support.sum(2) + assigned @ points
    expected = sums / (3 + assigned.sum(2, keepdim=True))
    assert torch.allclose(soft_means(Support.of(support), points, assigned), expected)


def test_distances_are_squared_and_infinite_to_the_point_itself():
    points = doubles(2, 7, 5) + 1000
    expected = torch.cdist(points, points) ** 2
    expected.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    assert torch.allclose(squared_distances(points), expected)


def test_neighbours_are_others_and_ties_are_all_in():
    points = torch.tensor([[0.0], [1.0], [-1.0], [5.0]])[None]
    near = neighbour_mask(squared_distances(points), 1)[0].T
    assert near.int().tolist() == [[0, 1, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]]


def test_each_point_has_its_neighbours_though_mirrored_distances_round_apart():
    distances = squared_distances(doubles(3, 12, 4))
    noise = 1 + 1e-14 * (doubles(3, 12, 12) - 0.5)
    for count in (1, 3, 8):
        near = neighbour_mask(distances * noise, count)
        assert (near.sum(1) == count).all()
        assert torch.equal(near, neighbour_mask(distances, count))


def test_any_number_of_neighbours_is_found():
    distances = squared_distances(doubles(3, 12, 4))
    for count in range(1, 12):
        near = neighbour_mask(distances, count)
        assert torch.equal(near, distances.argsort(1).argsort(1) < count)
