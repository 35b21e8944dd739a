"""A feature file gives what was written or an error, whatever happens to its bytes."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from lowlabel.errors import DataError
from lowlabel.features import (
    FeatureKey,
    extract_features,
    feature_path,
    load_feature_file,
    stored_rows,
)
from lowlabel.features.store import read_features
from lowlabel.features.store_format import HEAD_BYTES

pytestmark = pytest.mark.usefixtures("small_chunks")


@pytest.fixture
def key(backbone, images):
    (images.root / images.paths[5]).write_bytes(b"not an image")
    with pytest.raises(DataError, match="cannot be decoded"):
        extract_features(backbone, images)
    return FeatureKey.of(backbone, images)


def same(table, other):
    return (
        np.array_equal(table.features, other.features)
        and np.array_equal(table.labels, other.labels)
        and table.bad_images == other.bad_images
    )


def test_whatever_bit_is_flipped_no_other_values_are_read(key, images):
    path, expected = feature_path(key), read_features(key)
    assert expected.bad_images == (images.paths[5],)
    whole = path.read_bytes()
    with h5py.File(path) as file:
        arrays = {name: file[name].id.get_offset() for name in ("features", "done", "labels")}
        arrays["checksums"] = file["checksums"].id.get_offset()
    draws = np.random.default_rng(0)
    places = {place for start in (0, *arrays.values()) for place in range(start, start + 60)}
    places |= set(draws.integers(0, len(whole), 250).tolist())
    places |= set(range(HEAD_BYTES, HEAD_BYTES + 60))  # the superblock of HDF5
    refused = 0
    for place in sorted(places):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(draws.integers(8))
        path.write_bytes(flipped)
        try:
            assert same(read_features(key), expected), place
        except DataError as error:
            refused += 1
            assert str(path) in error.message
            assert f"rm '{path}'" in error.hint
    assert refused > 0.9 * len(places)


def test_a_file_of_the_store_given_as_features_is_verified_too(key, images, tmp_path):
    path, expected = tmp_path / "copy.h5", read_features(key)
    path.write_bytes(feature_path(key).read_bytes())
    loaded = load_feature_file(path)
    assert same(loaded.evaluated, expected)
    assert loaded.evaluated.bad_images == (images.paths[5],)
    assert loaded.origin == json.loads(key.json())
    with h5py.File(path) as file:
        places = [file[name].id.get_offset() for name in ("features", "done", "labels")]
    whole = path.read_bytes()
    for place in (3, *places):  # the head, too, without which it would pass for any other file
        flipped = bytearray(whole)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(DataError, match=re.escape(str(path))):
            load_feature_file(path)


def test_rows_read_by_blocks_are_verified(key):
    path, whole = feature_path(key), read_features(key).features
    good = np.arange(18) != 5
    with stored_rows(key) as rows:
        for start in range(0, 18, 3):
            part = slice(start, start + 3)
            np.testing.assert_array_equal(rows[part], whole[np.cumsum(good)[part][good[part]] - 1])
    content = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        content[file["features"].id.get_offset() + 4 * 48 * 9] ^= 1  # in row 9, of the block 8–11
    path.write_bytes(content)
    with stored_rows(key) as rows:
        assert len(rows[0:8]) == 7
        with pytest.raises(DataError, match="rows 8 to 11 were changed") as caught:
            rows[10:12]
    assert str(path) in caught.value.message


def test_a_file_that_another_program_holds_open_is_read(key):
    expected = read_features(key)
    with h5py.File(feature_path(key), "r+"):
        assert same(read_features(key), expected)


def test_an_error_of_the_disk_is_not_taken_for_damage(key, monkeypatch):
    feature_path(key).unlink()
    feature_path(key).mkdir()
    with pytest.raises(DataError, match=re.escape(str(feature_path(key)))) as caught:
        read_features(key)
    assert "rm " not in caught.value.hint


def test_an_error_in_closing_a_file_that_was_read_is_no_error(key, monkeypatch):
    class File(io.BufferedReader):
        def close(self):
            super().close()
            raise OSError(5, "Input/output error")

    expected = read_features(key)
    monkeypatch.setattr(Path, "open", lambda self, *_: File(io.FileIO(self)))
    assert same(read_features(key), expected)


def test_a_file_of_an_earlier_version_says_so(key):
    with h5py.File(feature_path(key), "w") as file:
        file.attrs.update(schema=1, key=key.json())
    with pytest.raises(DataError, match="format of an earlier version"):
        read_features(key)


def test_a_large_file_is_verified_and_mapped(backbone, images, monkeypatch):
    table = extract_features(backbone, images)
    monkeypatch.setattr("lowlabel.features.table._MOST_BYTES", 0)
    path, mapped = feature_path(FeatureKey.of(backbone, images)), extract_features(backbone, images)
    assert same(mapped, table)
    assert isinstance(mapped.features.base, np.memmap)
    whole = path.read_bytes()
    mapped.features[0] = 0  # in memory, not in the file
    path.rename(path.with_name("moved"))
    assert path.with_name("moved").read_bytes() == whole
    np.testing.assert_array_equal(mapped.features[1:], table.features[1:])
    flipped = bytearray(whole)
    with h5py.File(path.with_name("moved")) as file:
        flipped[file["features"].id.get_offset() + 5] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(DataError, match="were changed on the disk"):
        extract_features(backbone, images)


def test_equal_features_have_one_hash_whatever_made_them(backbone, images):
    """Another name of the model is another file; a changed image gives other features."""
    table = extract_features(backbone, images)
    other = replace(backbone, spec="another", weights_sha256="0" * 64)
    same_values = extract_features(other, images)
    assert same_values.key != table.key
    assert same_values.values_sha256 == table.values_sha256
    assert read_features(FeatureKey.of(backbone, images)).values_sha256 == table.values_sha256
    with stored_rows(FeatureKey.of(backbone, images)) as rows:
        assert rows.file.values_sha256 == table.values_sha256
    shifted = replace(backbone, spec="shifted", transform=replace(backbone.transform, resize=64))
    assert extract_features(shifted, images).values_sha256 != table.values_sha256
