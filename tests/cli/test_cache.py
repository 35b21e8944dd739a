"""What `lowlabel cache` shows and removes."""

import io

import h5py
import numpy as np
import pytest

from lowlabel.cli import main
from lowlabel.cli.cache import stock
from lowlabel.datasets import open_dataset
from lowlabel.features import extract_features, load_backbone
from lowlabel.features.store_format import HEAD_BYTES
from lowlabel.paths import datasets_dir, features_dir, weights_dir


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["cache", *arguments])
    return int(ended.value.code or 0)


@pytest.fixture
def filled(image_folder, home):
    """Features of two parts by one model, weights, and a dataset that is a link."""
    opened = open_dataset(f"folder:{image_folder}")
    for part in ("base", "novel"):
        extract_features(load_backbone("pixels", resolution=8), opened.load(part))
    weights_dir().mkdir()
    (weights_dir() / "vit.safetensors").write_bytes(b"x" * 2000)
    datasets_dir().mkdir()
    (datasets_dir() / "cub").symlink_to(image_folder)
    (datasets_dir() / "demo-v2/novel").mkdir(parents=True)
    (datasets_dir() / "demo-v2/novel/0.png").write_bytes(b"x" * 30)
    return opened


def feature_files():
    return sorted(features_dir().glob("*.h5"))


def test_sizes_stand_by_model_and_dataset(filled, capsys):
    size = sum(path.stat().st_size for path in feature_files())
    assert call() == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["features", "pixels", "folder:images:folders", "2", *stock_size(size)] in rows
    assert ["weights", "vit", "1", "2", "kB"] in rows
    assert ["datasets", "demo", "1", "30", "bytes"] in rows
    assert ["datasets", "cub", "1", "0", "bytes"] in rows


def stock_size(size: int) -> list[str]:
    from lowlabel.cli.cache import _shown

    return _shown(size).split()


def test_features_are_removed_by_model_and_dataset_and_nothing_else(filled, capsys):
    assert call("remove", "--model", "other", "--yes") == 2
    assert "no features of other and any dataset" in capsys.readouterr().err
    assert call("remove", "--dataset", "folder:*", "--model", "pixels", "--yes") == 0
    assert "freed" in capsys.readouterr().out
    assert not feature_files()
    assert (weights_dir() / "vit.safetensors").exists()
    assert (datasets_dir() / "demo-v2/novel/0.png").exists()


def test_nothing_is_removed_without_a_yes(filled, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert call("remove", "--model", "pixels") == 1
    assert len(feature_files()) == 2
    assert call("remove", "--yes") == 2
    assert "nothing is named to remove" in capsys.readouterr().err


def test_a_linked_dataset_loses_its_link_alone(filled, image_folder):
    assert call("remove", "--kind", "datasets", "--dataset", "cub", "--yes") == 0
    assert not (datasets_dir() / "cub").exists()
    assert list(image_folder.rglob("*.png"))


def test_a_file_in_use_is_kept(filled, capsys):
    first, _ = feature_files()
    with stock.file_lock(first.with_suffix(".lock"), ""):
        assert call("remove", "--model", "pixels", "--yes") == 0
    assert feature_files() == [first]
    assert f"kept: {first} is in use" in capsys.readouterr().err


@pytest.mark.skipif(not stock._PROCESSES.is_dir(), reason="the system does not tell open files")
def test_files_that_a_process_reads_or_maps_are_in_use(filled, capsys):
    first, second = feature_files()
    mapped = np.memmap(first, mode="r")
    with second.open("rb"):
        assert call("remove", "--model", "pixels", "--yes") == 0
    assert feature_files() == [first, second]
    assert "freed 0 bytes" in capsys.readouterr().out
    del mapped


def test_nothing_outside_the_home_is_removed(filled, home, tmp_path, capsys):
    outside = tmp_path / "elsewhere"
    features_dir().rename(outside)
    features_dir().symlink_to(outside)
    assert call("remove", "--model", "pixels", "--yes") == 2
    assert "is a link to a folder outside" in capsys.readouterr().err
    assert len(list(outside.glob("*.h5"))) == 2


def test_a_damaged_feature_file_is_shown_by_its_name_and_not_opened_by_hdf5(
    filled, capsys, monkeypatch
):
    damaged, opened = feature_files()[0], h5py.File
    data = bytearray(damaged.read_bytes())
    data[HEAD_BYTES + 40] ^= 1
    damaged.write_bytes(data)

    def checked(file, *options):
        assert file.name != str(damaged)
        return opened(file, *options)

    monkeypatch.setattr(h5py, "File", checked)
    assert call() == 0
    rows = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert ["features", "pixels", "folder-images-folders-base"] in rows
    assert ["features", "pixels", "folder:images:folders"] in rows
