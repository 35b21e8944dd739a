"""`prepare`: every listed file is looked at, and nothing is half prepared or destroyed."""

import shutil
import zipfile

import pytest

from lowlabel.cli import main
from lowlabel.datasets import DATASETS, open_dataset, prepare, prepared_folder
from lowlabel.datasets.io.staging import staged
from lowlabel.errors import DataError


@pytest.fixture
def products(tmp_path, write_image):
    """Stanford Online Products with four listed images a part, of which `number` are there."""

    def make(number, *, write=lambda text: text.encode(), parts=("train", "test")):
        root = tmp_path / "Stanford_Online_Products"
        for part, first in (("train", 1), ("test", 11_319)):
            rows = [f"{k} {first + k // 2} 1 bicycle_final/{part}_{k}.JPG" for k in range(4)]
            text = "\n".join(["image_id class_id super_class_id path", *rows]) + "\n"
            root.mkdir(exist_ok=True)
            (root / f"Ebay_{part}.txt").write_bytes(write(text))
            for k in range(number if part in parts else 0):
                write_image(root / f"bicycle_final/{part}_{k}.JPG")
        return root

    return make


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code or 0


def test_lists_without_images_are_never_ready(products):
    root = products(0)
    for allow_partial in (False, True):
        with pytest.raises(
            DataError, match=r"under Stanford_Online_Products; 4 listed files are missing: bicycle"
        ):
            prepare(DATASETS["sop"], root, allow_partial=allow_partial)
        assert not prepared_folder(DATASETS["sop"]).exists()


def test_what_is_scored_needs_a_listed_image(products):
    root = products(4, parts=("train",))
    with pytest.raises(DataError, match=r"the test part of sop:dml-zeroshot has no images"):
        prepare(DATASETS["sop"], root, allow_partial=True)


def test_an_empty_part_to_train_on_is_stated(products, capsys):
    root = products(4, parts=("test",))
    with pytest.raises(DataError, match=r"the train part of sop:dml-zeroshot has no images"):
        prepare(DATASETS["sop"], root)
    assert call("prepare", "sop", "--archive", root, "--allow-partial") == 0
    assert "dml-zeroshot train: found 0 images of 0 classes" in capsys.readouterr().err
    assert len(open_dataset("sop", allow_partial=True).load("test")) == 4


def test_missing_files_are_counted_and_the_first_named(products):
    root = products(1)
    message = (
        r"train: found 1 image of 1 class, the full set has 59,551 images of 11,318 classes; "
        r"3 listed files are missing: bicycle_final/train_1\.JPG, bicycle_final/train_2\.JPG, "
    )
    with pytest.raises(DataError, match=message):
        prepare(DATASETS["sop"], root)


def test_an_incomplete_dataset_is_prepared_on_demand_and_states_its_counts(products, capsys):
    root = products(3)
    assert call("prepare", "sop", "--archive", root) == 2
    assert "1 listed files are missing" in capsys.readouterr().err
    assert call("prepare", "sop", "--archive", root, "--allow-partial") == 0
    said = capsys.readouterr()
    assert "incomplete: dml-zeroshot test: found 3 images of 2 classes, the full set" in said.err
    assert "sop is ready in" in said.out
    opened = open_dataset("sop", allow_partial=True)
    assert opened.load("test").counts == (3, 2)
    assert len(opened.load("test").manifest_sha256) == 64


def test_a_folder_with_the_name_of_a_listed_image_is_missing(products):
    root = products(3)
    (root / "bicycle_final" / "test_3.JPG").mkdir()
    prepare(DATASETS["sop"], root, allow_partial=True)
    assert len(open_dataset("sop", allow_partial=True).load("test")) == 3


@pytest.mark.parametrize(
    "write",
    [lambda text: text.encode("utf-8-sig"), lambda text: text.replace("\n", "\r\n\r\n").encode()],
)
def test_lists_with_a_byte_order_mark_or_crlf_are_read(products, write):
    prepare(DATASETS["sop"], products(4, write=write), allow_partial=True)
    opened = open_dataset("sop", allow_partial=True)
    assert opened.load("train").counts == (4, 2)


def test_lists_that_are_no_text_are_refused(products):
    with pytest.raises(DataError, match=r"Ebay_train\.txt is not UTF-8 text"):
        prepare(DATASETS["sop"], products(4, write=lambda text: text.encode("utf-16")))


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_a_nested_root_is_found(products, tmp_path, levels):
    deep = tmp_path.joinpath("outer", *["Stanford_Online_Products"] * levels)
    shutil.copytree(products(4), deep)
    prepare(DATASETS["sop"], tmp_path / "outer", allow_partial=True)
    assert len(open_dataset("sop", allow_partial=True).load("test")) == 4


def test_two_roots_are_ambiguous(products, tmp_path):
    for name in ("a", "b"):
        shutil.copytree(products(4), tmp_path / "outer" / name)
    with pytest.raises(DataError, match="in 2 folders: a, b"):
        prepare(DATASETS["sop"], tmp_path / "outer", allow_partial=True)


def test_backslashes_in_a_zip_are_folders(products, tmp_path):
    root = products(4)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in root.rglob("*"):
            if path.is_file():
                info = zipfile.ZipInfo("x")
                info.filename = str(path.relative_to(tmp_path)).replace("/", "\\")
                archive.writestr(info, path.read_bytes())
    assert b"Stanford_Online_Products\\Ebay_test.txt" in (tmp_path / "a.zip").read_bytes()
    prepare(DATASETS["sop"], tmp_path / "a.zip", allow_partial=True)
    assert len(open_dataset("sop", allow_partial=True).load("test")) == 4


def test_a_failed_prepare_keeps_what_was_there(products, tmp_path, zipped):
    good = zipped(products(4), tmp_path / "good.zip")
    prepare(DATASETS["sop"], good, allow_partial=True)
    folder = prepared_folder(DATASETS["sop"])
    before = sorted(folder.rglob("*"))
    with pytest.raises(DataError):
        prepare(DATASETS["sop"], good)
    with pytest.raises(DataError, match="there is no file"):
        prepare(DATASETS["sop"], tmp_path / "none.zip", allow_partial=True)
    assert sorted(folder.rglob("*")) == before
    assert {path.name for path in folder.parent.iterdir()} == {"sop", ".sop.lock"}


def test_what_lies_in_the_prepared_folder_is_no_source(products, tmp_path, zipped):
    prepare(DATASETS["sop"], zipped(products(4), tmp_path / "a.zip"), allow_partial=True)
    folder = prepared_folder(DATASETS["sop"])
    before = sorted(folder.rglob("*"))
    for source in (folder, folder / "Stanford_Online_Products"):
        with pytest.raises(DataError, match="lies in the prepared folder"):
            prepare(DATASETS["sop"], source, allow_partial=True)
    assert sorted(folder.rglob("*")) == before


def test_a_link_in_place_of_the_prepared_folder_is_replaced_and_not_followed(products, tmp_path):
    root, mine = products(4), tmp_path / "mine"
    (mine / "kept").mkdir(parents=True)
    folder = prepared_folder(DATASETS["sop"])
    folder.parent.mkdir(parents=True)
    folder.symlink_to(mine)
    prepare(DATASETS["sop"], root, allow_partial=True)
    assert (mine / "kept").is_dir()
    assert len(open_dataset("sop", allow_partial=True).load("test")) == 4


def test_nothing_is_unpacked_into_a_linked_folder(products, tmp_path, zipped):
    root = products(4)
    other = tmp_path / "other" / root.name
    other.mkdir(parents=True)
    (other / "evil.txt").touch()
    archive = zipped(other, tmp_path / "a.zip")
    before = sorted(root.rglob("*"))
    with pytest.raises(DataError, match="both give Stanford_Online_Products"):
        prepare(DATASETS["sop"], root, archive, allow_partial=True)
    assert sorted(root.rglob("*")) == before


def test_a_replacement_that_was_cut_off_between_its_renames_is_undone(tmp_path):
    (tmp_path / ".data.old").mkdir()
    (tmp_path / ".data.old" / "kept").touch()
    with pytest.raises(KeyError), staged(tmp_path / "data"):
        raise KeyError
    assert (tmp_path / "data" / "kept").is_file()


def test_a_missing_list_is_an_error_of_the_data(tmp_path, write_image):
    root = tmp_path / "cifar100"
    (root / "splits" / "bertinetto").mkdir(parents=True)
    (root / "splits" / "bertinetto" / "test.txt").write_text("apple\n")
    write_image(root / "data" / "apple" / "0.png")
    with pytest.raises(DataError, match=r"cannot read the list .*train\.txt: No such file"):
        prepare(DATASETS["cifar-fs"], root, allow_partial=True)
