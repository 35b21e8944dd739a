"""Pictures of `demo` are equal everywhere, all distinct, and hard for raw pixels."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lowlabel.datasets.demo.classes import demo_classes
from lowlabel.datasets.demo.compose import compose
from lowlabel.datasets.demo.draws import Draws
from lowlabel.datasets.demo.picture import render
from lowlabel.datasets.demo.render import DEMO_VERSION, demo_image, write_demo

KINDS = demo_classes()
PINNED = {  # (class, image): start of the pixels' sha256
    (0, 0): "53e5bed9b66571e9",
    (18, 5): "e753327077ed709d",
    (43, 39): "e3df10d2c3255d08",
    (67, 11): "7e13661b0f6f9ca6",
    (99, 39): "7b694b161c39f8f6",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo")
    write_demo(path, images_per_class=2)
    return path


def test_files_lie_in_class_folders_of_their_part(folder: Path) -> None:
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    expected = [f"{kind.part}/{kind.name}/{i:03d}.png" for kind in KINDS for i in range(2)]
    assert found == sorted(expected)


def test_files_are_uncompressed_rgb_of_the_pictures(folder: Path) -> None:
    paths = sorted(folder.rglob("*.png"))
    assert len({path.stat().st_size for path in paths}) == 1
    assert paths[0].stat().st_size > 64 * 64 * 3
    kind = KINDS[37]
    with Image.open(folder / kind.part / kind.name / "001.png") as image:
        assert (image.mode, image.size) == ("RGB", (64, 64))
        np.testing.assert_array_equal(np.asarray(image), demo_image(kind, 1))


def test_all_pictures_differ(folder: Path) -> None:
    contents = {hashlib.sha256(path.read_bytes()).digest() for path in folder.rglob("*.png")}
    assert len(contents) == 200


def test_progress_counts_images(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_demo(tmp_path, lambda done, total: seen.append((done, total)), images_per_class=1)
    assert seen == [(done, 100) for done in range(1, 101)]


@pytest.mark.parametrize(("index", "number"), PINNED)
def test_pixels_are_pinned(index: int, number: int) -> None:
    digest = hashlib.sha256(demo_image(KINDS[index], number).tobytes()).hexdigest()
    assert DEMO_VERSION == 2
    assert digest[:16] == PINNED[index, number]


def test_last_bits_of_mathematical_functions_do_not_reach_the_pixels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = [demo_image(kind, 0) for kind in KINDS]
    angles = np.linspace(0.0, 6.0, 100)
    sines, errors = np.sin(angles), np.random.default_rng(0)

    def inexact(function: Callable[..., Any]) -> Callable[..., Any]:
        def perturbed(*arguments: Any) -> Any:
            exact = function(*arguments)
            return exact * (1.0 + errors.integers(-4, 5, np.shape(exact)) * 2.0**-52)

        return perturbed

    for module, names in ((np, ("sin", "cos", "arctan2", "sqrt")), (math, ("sin", "cos"))):
        for name in names:
            monkeypatch.setattr(module, name, inexact(getattr(module, name)))
    assert (np.sin(angles) != sines).any()
    for kind, picture in zip(KINDS, expected, strict=True):
        np.testing.assert_array_equal(demo_image(kind, 0), picture)


def test_a_larger_picture_shows_the_same_scene() -> None:
    scene = compose(KINDS[0], Draws(0))
    scene = replace(scene, lens=replace(scene.lens, blur=0, noise=0.0))
    small, large = render(scene, 64).astype(float), render(scene, 256).astype(float)
    averaged = large.reshape(64, 4, 64, 4, 3).mean((1, 3))
    assert np.abs(averaged - small).mean() < 1.5
    assert np.corrcoef(averaged.ravel(), small.ravel())[0, 1] > 0.99


def test_brighter_light_brightens_every_pixel() -> None:
    scene = compose(KINDS[10], Draws(0))
    scene = replace(scene, lens=replace(scene.lens, noise=0.0))
    brighter = replace(scene, light=replace(scene.light, gain=1.2 * scene.light.gain))
    before, after = render(scene).astype(int), render(brighter).astype(int)
    assert (after >= before).all() and after.mean() > 1.1 * before.mean()


def test_without_shadow_an_object_changes_only_its_window() -> None:
    scene = compose(KINDS[20], Draws(4))
    scene = replace(scene, lens=replace(scene.lens, blur=0, noise=0.0))
    item = scene.items[-1]
    rows, columns = item.pose.window(64)
    changed = (render(scene) != render(replace(scene, items=scene.items[:-1]))).any(-1)
    assert changed[rows, columns].sum() == changed.sum() > 0


def test_raw_pixels_do_better_than_chance_but_not_well() -> None:
    """5-way 1-shot by the nearest shot: chance is 20 percent."""
    images = 12
    kinds = [kind for kind in KINDS if kind.part == "novel"]
    pixels = np.array(
        [demo_image(kind, i).ravel() / 255.0 for kind in kinds for i in range(images)]
    )
    squares = (pixels**2).sum(1)
    distances = squares[:, None] + squares - 2.0 * pixels @ pixels.T
    choose, hits = np.random.default_rng(0), []
    for _ in range(1000):
        order = choose.permutation(images)
        firsts = images * choose.choice(20, 5, replace=False)
        queries = (firsts[:, None] + order[1:])[:, :, None]
        nearest = distances[queries, firsts + order[0]].argmin(-1)
        hits.append((nearest == np.arange(5)[:, None]).mean())
    assert 0.22 < np.mean(hits) < 0.45
