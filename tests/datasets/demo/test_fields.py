"""Plane geometry of the demo data against known areas and maps."""

import math

import numpy as np
import pytest

from lowlabel.datasets.demo.draws import Draws
from lowlabel.datasets.demo.fields import Pose, coverage, pixel_grid, smooth_noise


def test_pixel_grid_is_centred_with_y_upwards() -> None:
    x, y = pixel_grid(4)
    np.testing.assert_array_equal(x, [[-0.75, -0.25, 0.25, 0.75]])
    np.testing.assert_array_equal(y[:, 0], [0.75, 0.25, -0.25, -0.75])


@pytest.mark.parametrize("width", [1.0, 4.0])
def test_coverage_of_a_disc_sums_to_its_area(width: float) -> None:
    x, y = pixel_grid(64)
    covered = coverage(0.6 - np.sqrt((x - 0.013) ** 2 + (y - 0.007) ** 2), width)
    assert covered.mean() * 4.0 == pytest.approx(math.pi * 0.36, rel=0.01)
    assert covered.min() == 0.0 and covered.max() == 1.0


def test_coverage_of_a_straight_edge_is_as_wide_as_asked() -> None:
    x, y = pixel_grid(64)
    partly = [
        ((c > 0.0) & (c < 1.0)).sum() / 64
        for c in (coverage(x - 0.001 + 0.0 * y), coverage(x - 0.001 + 0.0 * y, 6.0))
    ]
    assert partly == [1, 6]


def test_pose_undoes_turn_scale_and_shift() -> None:
    pose = Pose(x=0.3, y=-0.2, radius=0.5, angle=math.pi / 2)
    u, v = pose.local(np.array([[0.3, 0.3, -0.2]]), np.array([[-0.2, 0.3, -0.2]]))
    np.testing.assert_allclose(u, [[0.0, 1.0, 0.0]], atol=1e-12)
    np.testing.assert_allclose(v, [[0.0, 0.0, 1.0]], atol=1e-12)


def test_mirrored_pose_swaps_left_and_right() -> None:
    x, y = pixel_grid(16)
    pose = Pose(angle=0.0, stretch=1.2, tilt=(0.0, 0.1))
    mirrored = Pose(angle=0.0, stretch=1.2, tilt=(0.0, 0.1), mirrored=True)
    u, v = pose.local(x, y)
    flipped_u, flipped_v = mirrored.local(x, y)
    np.testing.assert_allclose(flipped_u, u[:, ::-1], atol=1e-12)
    np.testing.assert_allclose(flipped_v, v[:, ::-1], atol=1e-12)


@pytest.mark.parametrize("centre", [-1.6, -0.97, 0.0, 0.97, 1.6])
def test_window_stays_in_the_picture(centre: float) -> None:
    rows, columns = Pose(x=centre, y=centre, radius=0.1).window(64)
    for part in (rows, columns):
        assert 0 <= part.start <= part.stop - 2 <= 62


def test_smooth_noise_passes_through_its_lattice_and_repeats() -> None:
    lattice = Draws(0).array(5, 7)
    rows, columns = np.arange(5.0)[:, None], np.arange(7.0)[None, :]
    np.testing.assert_array_equal(smooth_noise(lattice, columns, rows), lattice)
    shifted = smooth_noise(lattice, columns + 0.3 + 7.0, rows - 5.0)
    np.testing.assert_allclose(shifted, smooth_noise(lattice, columns + 0.3, rows), atol=1e-12)
    between = smooth_noise(lattice, columns + 0.5, rows)
    np.testing.assert_allclose(between, (lattice + np.roll(lattice, -1, 1)) / 2, atol=1e-12)
