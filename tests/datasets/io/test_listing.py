import os

import pytest
from PIL import features

from lowlabel.datasets.io.listing import (
    EMPTY_CLASSES,
    image_suffixes,
    list_images,
    shown_counts,
)
from lowlabel.errors import DataError


@pytest.fixture
def touch(tmp_path):
    def touch_all(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    return touch_all


@pytest.mark.parametrize(
    "hidden",
    [
        *(".x/1.png", "__MACOSX/a/1.png", "a/.ipynb_checkpoints/1.png", "@eaDir/1.png"),
        *("$RECYCLE.BIN/1.png", "lost+found/1.png", "a/b/._2.png", "a/Thumbs.db", ".DS_Store"),
    ],
)
def test_hidden_files_and_folders_are_ignored_at_every_level(tmp_path, touch, hidden):
    touch("a/b/1.png", hidden)
    listing = list_images(tmp_path)
    assert (listing.images, listing.left_out) == (["a/b/1.png"], {})


def test_every_suffix_in_any_case_is_listed_and_the_rest_counted(tmp_path, touch):
    suffixes = [
        *("jpg", "JPEG", "jpe", "jfif", "png", "gif", "bmp", "tif", "TIFF", "pgm", "pnm", "ppm"),
    ]
    codecs = {"webp": "webp", "avif": "avif", "jp2": "jpg_2000"}
    suffixes += [s for s, c in codecs.items() if c in features.modules and features.check(c)]
    suffixes += [s for s, c in codecs.items() if c in features.codecs and features.check(c)]
    touch(*(f"a/{n}.{suffix}" for n, suffix in enumerate(suffixes)))
    touch("a/x.txt", "a/y.TXT", "z.mp4", "a/README")
    listing = list_images(tmp_path)
    assert len(listing.images) == len(suffixes)
    assert listing.left_out == {".txt": 2, ".mp4": 1, "no suffix": 1}
    assert shown_counts(listing.left_out) == "4 files are not taken: 2 .txt, 1 .mp4, 1 no suffix"
    assert {f".{suffix.lower()}" for suffix in suffixes} <= image_suffixes()


def test_classes_are_counted_apart_from_files():
    counts = {EMPTY_CLASSES: 2, ".txt": 3}
    said = "3 files are not taken: 3 .txt; 2 class folders without an image"
    assert shown_counts(counts) == said
    assert shown_counts({EMPTY_CLASSES: 1}) == "1 class folders without an image"
    assert shown_counts({}) == ""


def test_a_suffix_without_its_codec_is_counted_as_not_taken(tmp_path, touch, monkeypatch):
    monkeypatch.setattr(features, "check", lambda codec: codec != "webp")
    image_suffixes.cache_clear()
    try:
        touch("a/1.webp", "a/1.png")
        listing = list_images(tmp_path)
    finally:
        image_suffixes.cache_clear()
    assert (listing.images, listing.left_out) == (["a/1.png"], {".webp": 1})


def test_a_folder_with_the_name_of_an_image_is_no_image(tmp_path, touch):
    touch("a/x.jpg/1.png")
    assert list_images(tmp_path).images == ["a/x.jpg/1.png"]


def test_links_to_files_and_folders_are_followed_at_every_level(tmp_path, touch):
    touch("store/b/1.png", "store/c/d/2.png", "store/3.png", "top/a/0.png")
    top = tmp_path / "top"
    (top / "b").symlink_to(tmp_path / "store" / "b")
    (top / "a" / "below").symlink_to(tmp_path / "store" / "c")
    (top / "a" / "3.png").symlink_to(tmp_path / "store" / "3.png")
    listing = list_images(top)
    assert listing.images == ["a/0.png", "a/3.png", "a/below/d/2.png", "b/1.png"]
    assert not listing.left_out


@pytest.mark.parametrize("target", [".", "..", "a", "b", "../outside/back", "a/deep"])
def test_a_loop_of_links_ends_and_lists_no_image_twice(tmp_path, touch, target):
    touch("top/a/deep/0.png", "top/b/1.png", "outside/2.png")
    top = tmp_path / "top"
    (tmp_path / "outside" / "back").symlink_to(top)
    (top / "a" / "deep" / "loop").symlink_to(top / target)
    (top / "b" / "loop").symlink_to(top)
    listing = list_images(top)
    assert listing.images == ["a/deep/0.png", "b/1.png"]
    assert listing.left_out == {"link to a folder that is listed elsewhere": 2}


def test_classes_that_link_to_each_other_are_listed_once_each(tmp_path, touch):
    names = [f"c{number}" for number in range(12)]
    touch(*(f"{name}/0.png" for name in names))
    for name in names:
        for other in names:
            (tmp_path / name / f"to-{other}").symlink_to(tmp_path / other)
    assert list_images(tmp_path).images == [f"{name}/0.png" for name in sorted(names)]


def test_broken_links_are_counted(tmp_path, touch):
    touch("a/0.png")
    (tmp_path / "a" / "1.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "a" / "2.png").symlink_to(tmp_path / "a" / "2.png")
    listing = list_images(tmp_path)
    assert (listing.images, listing.left_out) == (["a/0.png"], {"broken link": 2})


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_read_is_an_error(tmp_path, touch):
    touch("a/0.png")
    (tmp_path / "a").chmod(0)
    try:
        with pytest.raises(DataError, match="cannot list the folder"):
            list_images(tmp_path)
    finally:
        (tmp_path / "a").chmod(0o755)
