"""`folder:PATH` datasets, and the manifest of an image set."""

import pytest

from lowlabel.datasets import open_dataset
from lowlabel.errors import DataError


def test_folder_parts_are_its_sub_folders(image_folder):
    opened = open_dataset(f"folder:{image_folder}")
    assert opened.division.parts == ("base", "val", "novel")
    assert opened.load("novel").counts == (18, 3)
    assert opened.load("novel").class_names == ("novel0", "novel1", "novel2")
    assert opened.load("novel").paths[0] == "novel/novel0/0.png"


@pytest.mark.parametrize("shared", [True, False])
def test_folder_tells_whether_its_parts_share_classes(tmp_path, write_image, shared):
    for part, names in (("train", "ab"), ("val", "ab"), ("test", "ab" if shared else "bc")):
        for name in names:
            write_image(tmp_path / part / name / "0.png")
    assert open_dataset(f"folder:{tmp_path}").division.shared_classes == shared


def test_parts_keep_their_names_whatever_the_folders_are_called(tmp_path, write_image):
    for part in ("Training", "Valid", "TEST"):
        for name in "ab":
            write_image(tmp_path / part / name / "0.png")
    opened = open_dataset(f"folder:{tmp_path}")
    assert opened.division.parts == ("train", "val", "test")
    assert opened.load("test").paths == ("TEST/a/0.png", "TEST/b/0.png")
    assert opened.load("train").class_names == ("a", "b")
    assert (opened.division.evaluated, opened.division.train_part) == ("test", "train")


@pytest.mark.parametrize(("inside", "given"), [("", "."), ("novel", ".."), ("novel", "../")])
def test_a_folder_given_by_dots_has_its_own_name(image_folder, monkeypatch, inside, given):
    monkeypatch.chdir(image_folder / inside)
    assert open_dataset(f"folder:{given}").dataset.name == f"folder:{image_folder.name}"


def test_imagenets_train_and_val_are_parts_and_val_is_scored(tmp_path, write_image):
    for part in ("train", "val"):
        for name in "ab":
            write_image(tmp_path / part / name / "0.png")
    division = open_dataset(f"folder:{tmp_path}").division
    assert (division.train_part, division.evaluated) == ("train", "val")
    assert division.shared_classes
    assert division.validation_part is None  # nothing is tuned on what is scored


def test_a_class_that_train_lacks_is_named(tmp_path, write_image):
    for path in ("train/a", "train/b", "test/a", "test/b", "test/c"):
        write_image(tmp_path / path / "0.png")
    division = open_dataset(f"folder:{tmp_path}").division
    assert not division.shared_classes
    said = f"1 of the 3 classes of {tmp_path}/test have no images in {tmp_path}/train: c"
    assert division.unshared == said


def test_a_class_folder_without_images_in_train_is_no_class_of_it(tmp_path, write_image):
    for path in ("train/a", "test/a", "test/b"):
        write_image(tmp_path / path / "0.png")
    (tmp_path / "train/b").mkdir()
    (tmp_path / "train/b/notes.txt").touch()
    opened = open_dataset(f"folder:{tmp_path}")
    assert not opened.division.shared_classes
    assert opened.left_out("train") == {".txt": 1, "class folders without an image": 1}


def test_a_part_without_classes_is_named(tmp_path, write_image):
    write_image(tmp_path / "train/0.png")
    write_image(tmp_path / "test/a/0.png")
    division = open_dataset(f"folder:{tmp_path}").division
    assert not division.shared_classes
    assert division.unshared == f"{tmp_path}/train has no class folders with images"


def test_classes_that_only_train_has_are_counted(tmp_path, write_image):
    for path in ("train/a", "train/b", "train/c/deep", "test/a", "test/b"):
        write_image(tmp_path / path / "0.png")
    opened = open_dataset(f"folder:{tmp_path}")
    assert opened.division.shared_classes
    counted = {"classes without an image in the evaluated part": 1}
    assert opened.left_out("train", "test") == opened.left_out("test") == counted


def test_images_to_pretrain_on_lie_beside_the_parts(tmp_path, write_image):
    for path in ("train/a", "train/b", "val/a", "val/b", "Pretext/any/depth"):
        write_image(tmp_path / path / "0.png")
    opened = open_dataset(f"folder:{tmp_path}")
    assert opened.division.parts == ("train", "val")
    assert opened.division.shared_classes
    assert opened.left_out("train", "val") == {}


def test_files_that_are_not_taken_are_counted_by_suffix(image_folder):
    (image_folder / "novel" / "novel0" / "notes.txt").touch()
    (image_folder / "novel" / "0.png").touch()
    (image_folder / "novel" / "novel0" / "x.jpg").mkdir()
    opened = open_dataset(f"folder:{image_folder}")
    assert opened.load("novel").counts == (18, 3)
    assert opened.left_out("base", "novel") == {
        ".txt": 1,
        "image outside the class folders": 1,
    }
    assert opened.left_out("base") == {}


def test_files_beside_the_parts_are_counted(image_folder, write_image):
    write_image(image_folder / "labels/cat/0.png")
    (image_folder / "labels/cat/0.txt").write_text("cat")
    (image_folder / "README").write_text("three parts")
    left_out = open_dataset(f"folder:{image_folder}").left_out("base", "novel")
    assert left_out["in labels/"] == 2
    assert left_out["beside the parts"] == 1


def test_an_empty_path_is_refused():
    with pytest.raises(DataError, match="folder: names no folder"):
        open_dataset("folder:")


def test_folder_without_parts_is_evaluated_whole(image_folder):
    opened = open_dataset(f"folder:{image_folder / 'base'}")
    assert (opened.division.evaluated, opened.division.train_part) == ("all", None)
    assert opened.load("all").counts == (18, 3)


def test_folder_without_images_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no folder"):
        open_dataset(f"folder:{tmp_path / 'nowhere'}")
    (tmp_path / "empty" / "class").mkdir(parents=True)
    with pytest.raises(DataError, match="no images in the class folders"):
        open_dataset(f"folder:{tmp_path / 'empty'}").load("all")
    (tmp_path / "empty" / "class" / "a.heic").touch()
    (tmp_path / "empty" / "b.png").touch()
    with pytest.raises(DataError, match=r"2 files are not taken: 1 \.heic, 1 image outside"):
        open_dataset(f"folder:{tmp_path / 'empty'}").load("all")


def test_manifest_follows_names_classes_and_contents(image_folder):
    def manifest() -> str:
        return open_dataset(f"folder:{image_folder}").load("novel").manifest_sha256

    before = manifest()
    assert manifest() == before
    image = image_folder / "novel" / "novel0" / "0.png"
    content = image.read_bytes()
    image.write_bytes(content[:-1] + b"\0")
    assert manifest() != before
    image.write_bytes(content)
    assert manifest() == before
    image.rename(image.with_name("00.png"))
    assert manifest() != before


def test_queries_are_scored_in_their_gallery_and_nothing_is_trained_on_it(tmp_path, write_image):
    for place in ("query/a", "query/b", "gallery/a", "gallery/b", "gallery/c"):
        write_image(tmp_path / place / "0.png")
    division = open_dataset(f"folder:{tmp_path}").division
    assert (division.evaluated, division.gallery, division.train_part) == ("query", "gallery", None)
    assert not division.shared_classes


def test_a_train_folder_beside_query_and_gallery_is_trained_on(tmp_path, write_image):
    for place in ("query/a", "query/b", "gallery/a", "gallery/b", "train/c", "train/d"):
        write_image(tmp_path / place / "0.png")
    division = open_dataset(f"folder:{tmp_path}").division
    assert (division.evaluated, division.gallery, division.train_part) == (
        "query",
        "gallery",
        "train",
    )
    assert not division.shared_classes
