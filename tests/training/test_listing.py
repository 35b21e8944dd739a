import shutil

import pytest

from lowlabel.datasets import open_dataset
from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.training.listing import halves, list_pretrain_data


def test_a_pretext_folder_is_used_with_train_and_val_for_knn(stripes):
    data = list_pretrain_data(f"folder:{stripes}")
    assert len(data.images) == 8 + 4 * 6
    assert data.images.part == "pretext"
    assert (len(data.bank), len(data.queries)) == (16, 12)
    assert {path.split("/")[0] for path in data.images.paths} == {"pretext"}


def test_a_folder_is_listed_by_the_rules_of_run(image_folder, tmp_path):
    folder = tmp_path / "linked"
    (folder / "Training").mkdir(parents=True)
    (folder / "Validation").symlink_to(image_folder / "novel")
    for name in ("base0", "base1"):
        (folder / "Training" / name).symlink_to(image_folder / "base" / name)
    shutil.copytree(image_folder / "base" / "base2", folder / "Training" / "base2")
    (folder / "Training" / "base2" / "more").symlink_to(image_folder / "val" / "val0")
    (folder / "Training" / "base2" / "loop").symlink_to(folder)
    (folder / "Training" / "base2" / "._0.png").touch()
    (folder / "Training" / "notes.txt").touch()
    data = list_pretrain_data(f"folder:{folder}")
    run = open_dataset(f"folder:{folder}")
    assert data.images.part == run.division.train_part == "train"
    assert data.images.paths == run.load("train").paths
    assert len(data.images) == 24
    assert (len(data.bank), len(data.queries)) == (9, 9)
    assert data.left_out == run.left_out("train")
    assert sum(data.left_out.values()) == 2


def test_a_pretext_folder_in_any_case_is_used(stripes, tmp_path):
    (tmp_path / "Pretext").symlink_to(stripes / "pretext")
    data = list_pretrain_data(f"folder:{tmp_path}")
    assert (data.images.part, len(data.images)) == ("pretext", 32)


def test_images_at_any_depth_without_classes_are_used(stripes):
    data = list_pretrain_data(str(stripes / "pretext"))
    assert len(data.images) == 32
    assert data.bank is None


def test_a_divided_folder_gives_its_base_part(image_folder):
    data = list_pretrain_data(f"folder:{image_folder}")
    assert data.images.counts == (18, 3)
    assert (len(data.bank), len(data.queries)) == (6, 6)


def test_halves_are_disjoint_and_balanced(image_folder):
    images = list_pretrain_data(f"folder:{image_folder}").images
    first, second = halves(images)
    assert set(first.paths).isdisjoint(second.paths)
    assert set(first.paths) | set(second.paths) == set(images.paths)
    assert first.class_names == second.class_names == images.class_names


def test_a_class_list_restricts_the_images(image_folder, tmp_path):
    names = tmp_path / "classes.txt"
    names.write_text("# two of three\nbase0\n\nbase2\n")
    data = list_pretrain_data(f"folder:{image_folder}", names)
    assert {path.split("/")[1] for path in data.images.paths} == {"base0", "base2"}
    whole = list_pretrain_data(f"folder:{image_folder}").images
    assert data.images.manifest_sha256 != whole.manifest_sha256


def test_bad_class_lists_are_refused(image_folder, tmp_path):
    names = tmp_path / "classes.txt"
    with pytest.raises(DataError, match=r"cannot read .*classes\.txt"):
        list_pretrain_data(f"folder:{image_folder}", names)
    names.write_text("\n")
    with pytest.raises(DataError, match="names no class"):
        list_pretrain_data(f"folder:{image_folder}", names)
    names.write_text("n01440764\n")
    with pytest.raises(DataError, match=r"no image .* 1 listed classes") as error:
        list_pretrain_data(f"folder:{image_folder}", names)
    assert "base0" in error.value.hint


def test_unknown_folders_and_names_are_refused(tmp_path):
    with pytest.raises(DataError, match="no images under"):
        list_pretrain_data(f"folder:{tmp_path}")
    with pytest.raises(DataError, match="there is no folder"):
        list_pretrain_data(f"folder:{tmp_path / 'nothing'}")
    with pytest.raises(UnknownNameError, match="cub2"):
        list_pretrain_data("cub2")


def test_a_dataset_without_a_training_part_is_refused(image_folder, monkeypatch):
    shutil.rmtree(image_folder / "base")
    opened = open_dataset(f"folder:{image_folder}")
    assert opened.division.train_part is None
    monkeypatch.setattr("lowlabel.training.listing.open_dataset", lambda *_, **__: opened)
    with pytest.raises(InputError, match="no part to train on"):
        list_pretrain_data("whole")
