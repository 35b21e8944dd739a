"""Manifests follow the bytes of images, and images that did not change are not read again."""

import errno
import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from lowlabel.datasets import open_dataset
from lowlabel.datasets.io import content_index, contents
from lowlabel.datasets.io.content_index import NAME
from lowlabel.errors import DataError

OLD = 1_700_000_000  # seconds since 1970


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of three files of one size; nothing here decodes them."""
    root = tmp_path / "set"
    for number in range(6):
        path = root / f"class{number % 2}" / f"{number}.ppm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number]) * 100)
    return root


@pytest.fixture
def hashed(monkeypatch) -> list[str]:
    """Names of the files that were read."""
    names: list[str] = []
    read = contents._hash

    def counting(run: tuple[Path | None, list[str]]) -> object:
        names.extend(Path(path).name for path in run[1])
        return read(run)

    monkeypatch.setattr(contents, "_hash", counting)
    return names


def manifest(folder: Path) -> str:
    return open_dataset(f"folder:{folder}").load("all").manifest_sha256


def test_unchanged_files_are_read_once(folder, clock, hashed):
    first = manifest(folder)
    assert len(hashed) == 6
    assert manifest(folder) == first
    assert len(hashed) == 6


def test_only_the_changed_file_is_read_again(folder, clock, hashed):
    manifest(folder)
    hashed.clear()
    (folder / "class0/4.ppm").write_bytes(bytes(100))
    manifest(folder)
    assert hashed == ["4.ppm"]


@pytest.mark.parametrize("restored", [False, True], ids=["new time", "time restored"])
def test_an_edit_in_place_changes_the_manifest(folder, clock, restored):
    path = folder / "class0/0.ppm"
    os.utime(path, (OLD, OLD))
    before = manifest(folder)
    path.write_bytes(b"x" * 100)
    if restored:
        os.utime(path, (OLD, OLD))
    assert manifest(folder) != before


def test_another_file_of_the_same_times_under_the_name_changes_the_manifest(folder, clock):
    path, other = folder / "class0/0.ppm", folder / "other"
    other.write_bytes(b"x" * 100)
    for each in (path, other):
        os.utime(each, (OLD, OLD))
    before = manifest(folder)
    other.replace(path)
    assert manifest(folder) != before


def test_a_file_that_changed_within_the_tick_of_its_hashing_is_hashed_again(folder, clock, hashed):
    clock[0] = -1
    manifest(folder)
    hashed.clear()
    manifest(folder)
    assert len(hashed) == 6


def test_folders_of_one_name_have_manifests_of_their_own(tmp_path, clock):
    for parent, value in (("a", b"a"), ("b", b"b")):
        (tmp_path / parent / "set/class").mkdir(parents=True)
        (tmp_path / parent / "set/class/0.ppm").write_bytes(value)
    assert manifest(tmp_path / "a/set") != manifest(tmp_path / "b/set")


def test_copies_have_the_same_manifest(folder, tmp_path, clock):
    copy = tmp_path / "elsewhere" / "set"
    for path in folder.rglob("*.ppm"):
        target = copy / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    assert manifest(copy) == manifest(folder)


@pytest.mark.parametrize("damage", ["garbage", "truncated", "empty", "other columns", "directory"])
def test_a_damaged_index_is_replaced_or_done_without(folder, home, clock, hashed, damage):
    before = manifest(folder)
    index = home / NAME
    content = index.read_bytes()
    index.unlink()
    if damage == "garbage":
        index.write_bytes(b"garbage" * 1000)
    elif damage == "truncated":
        index.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        index.write_bytes(b"")
    elif damage == "other columns":
        with sqlite3.connect(index) as database:
            database.execute(f"CREATE TABLE {content_index._TABLE} (path)")
    else:
        index.mkdir()
    hashed.clear()
    assert manifest(folder) == before
    assert len(hashed) == 6
    if damage != "directory":
        assert manifest(folder) == before
        assert len(hashed) == 6  # the new index is used


def test_whatever_bit_of_the_index_is_flipped_the_manifest_stays(folder, home, clock, capsys):
    expected, index = manifest(folder), home / NAME
    content, draws = index.read_bytes(), np.random.default_rng(0)
    for place in draws.integers(0, len(content), 300).tolist():
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(draws.integers(8))
        index.write_bytes(flipped)
        known = open_dataset(f"folder:{folder}").load("all").known_manifest
        assert known is None or known.sha256 == expected, place
        said = ["?"]
        while said[-1] and len(said) < 5:  # an entry added to a damaged page may damage it further
            content_index._say_once.cache_clear()
            assert manifest(folder) == expected, place
            said.append(capsys.readouterr().err)
        assert not said[-1], place  # it was mended or replaced


def test_an_index_that_cannot_be_written_is_said(folder, home, clock, monkeypatch, capsys):
    def refuse(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    before = manifest(folder)
    monkeypatch.setattr(sqlite3, "connect", refuse)
    assert manifest(folder) == before
    assert "each run reads them again" in capsys.readouterr().err


@pytest.mark.parametrize("error", [errno.EIO, errno.EACCES, errno.ESTALE, errno.ENOENT])
def test_a_file_that_the_system_does_not_hand_out_is_named(folder, clock, monkeypatch, error):
    opened = Path.open

    def failing(self: Path, *arguments: object, **options: object) -> object:
        if self.name == "3.ppm":
            raise OSError(error, os.strerror(error), str(self))
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", failing)
    with pytest.raises(DataError, match=r"3\.ppm"):
        manifest(folder)
    monkeypatch.undo()
    assert len(manifest(folder)) == 64


def test_a_plan_knows_manifests_without_reading_or_writing(folder, home, clock, hashed):
    images = open_dataset(f"folder:{folder}").load("all")
    assert images.known_manifest is None
    assert not home.exists()
    digest = images.manifest_sha256
    hashed.clear()
    assert images.known_manifest.sha256 == digest
    (folder / "class0/0.ppm").write_bytes(b"x" * 100)
    assert images.known_manifest is None
    assert hashed == []
