import shutil
from pathlib import Path

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
    with pytest.raises(
        DataError, match=r"no image of 1 of the 1 listed classes: n01440764"
    ) as error:
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


@pytest.fixture
def tiny_imagenet(tmp_path):
    """A tree of Tiny-ImageNet in its own layout: 2 classes of 3 train and 2 val images."""
    root, wnids = tmp_path / "tiny-imagenet-200", ("n01443537", "n01629819")
    images = root / "val/images"
    images.mkdir(parents=True)
    rows = []
    for wnid in wnids:
        folder = root / "train" / wnid / "images"
        folder.mkdir(parents=True)
        for number in range(3):
            (folder / f"{wnid}_{number}.JPEG").write_bytes(b"image")
        for _ in range(2):
            name = f"val_{len(rows)}.JPEG"
            (images / name).write_bytes(b"image")
            rows.append(f"{name}\t{wnid}\t0\t0\t9\t9\n")
    (root / "val/val_annotations.txt").write_text("".join(rows))
    (root / "wnids.txt").write_text("\n".join(wnids))
    return root


@pytest.mark.parametrize("place", ["", "val"])
def test_tiny_imagenet_is_no_folder_of_classes(place, tiny_imagenet):
    command = f"lowlabel prepare tiny-imagenet --archive {tiny_imagenet}\n"
    for listed in (list_pretrain_data, open_dataset):
        with pytest.raises(DataError, match="Tiny-ImageNet in its own layout") as error:
            listed(f"folder:{tiny_imagenet / place}")
        assert command in error.value.hint


def test_tiny_imagenet_gives_its_train_part_and_val_for_knn(tiny_imagenet, monkeypatch):
    monkeypatch.setattr("lowlabel.datasets.catalogue.prepared_folder", lambda _: tiny_imagenet)
    data = list_pretrain_data("tiny-imagenet", allow_partial=True)
    assert data.images.counts == (6, 2)
    assert all(path.startswith("train/") for path in data.images.paths)
    assert (len(data.bank), len(data.queries)) == (2, 2)
    assert {*data.bank.class_names} == {"n01443537", "n01629819"}


def test_imagenet_gives_its_train_part(tmp_path, monkeypatch):
    for part in ("train", "val"):
        for wnid in ("n01440764", "n01443537"):
            (tmp_path / part / wnid).mkdir(parents=True)
            for number in range(2):
                (tmp_path / part / wnid / f"{part}_{number}.JPEG").write_bytes(b"image")
    monkeypatch.setattr("lowlabel.datasets.catalogue.prepared_folder", lambda _: tmp_path)
    data = list_pretrain_data("imagenet", allow_partial=True)
    assert {path.split("/")[0] for path in data.images.paths} == {"train"}
    assert (len(data.images), len(data.bank), len(data.queries)) == (4, 2, 2)
    with pytest.raises(DataError, match="no image of 706 of the 708 listed classes: n01494475"):
        list_pretrain_data("imagenet", Path("ssl-vit-mini"), allow_partial=True)


def test_classes_that_the_images_lack_are_refused(image_folder, tmp_path):
    names = tmp_path / "classes.txt"
    names.write_text("base0\nbase7\n")
    with pytest.raises(DataError, match="no image of 1 of the 2 listed classes: base7"):
        list_pretrain_data(f"folder:{image_folder}", names)


def test_queries_and_their_gallery_are_not_trained_on(image_folder, tmp_path):
    for part in ("query", "gallery"):
        shutil.copytree(image_folder / "novel", tmp_path / "shop" / part)
    with pytest.raises(InputError, match="no part to train on") as error:
        list_pretrain_data(f"folder:{tmp_path / 'shop'}")
    assert f"folder:{tmp_path / 'shop' / 'gallery'}" in error.value.hint


def test_the_train_rows_of_a_table_are_trained_on_unless_they_are_boxed(image_folder):
    rows = [
        f"{path.relative_to(image_folder)},{path.parent.name},{path.parts[-3]}"
        for path in sorted(image_folder.rglob("*.png"))
    ]
    table = image_folder / "list.csv"
    table.write_text("\n".join(["path,label,split", *rows]))
    data = list_pretrain_data(f"csv:{table}")
    assert (data.images.part, len(data.images), len(data.bank)) == ("base", 18, 6)
    boxed = [f'{row},"1,1,8,8"' for row in rows]
    table.write_text("\n".join(["path,label,split,box", *boxed]))
    with pytest.raises(InputError, match="pretraining takes whole images"):
        list_pretrain_data(f"csv:{table}")


def test_the_train_rows_of_a_table_with_several_labels_are_trained_on(image_folder):
    rows = [
        f"{path.relative_to(image_folder)},{path.parent.name}|seen,{path.parts[-3]}"
        for path in sorted(image_folder.rglob("*.png"))
    ]
    table = image_folder / "own.csv"
    table.write_text("\n".join(["path,labels,split", *rows]))
    data = list_pretrain_data(f"csv:{table}")
    assert {path.split("/")[0] for path in data.images.paths} == {"base"}
    assert data.bank is None and data.queries is None
