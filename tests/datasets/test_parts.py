import pytest

from lowlabel.datasets.parts import find_parts, part_called
from lowlabel.errors import DataError


@pytest.mark.parametrize(
    ("folders", "parts"),
    [
        (("train", "val", "test"), ("train", "val", "test")),
        (("Train", "Test"), ("train", "test")),
        (("TRAINING", "valid", "testing"), ("train", "val", "test")),
        (("training", "Validation", "test_set"), ("train", "val", "test")),
        (("train", "dev", "test"), ("train", "val", "test")),
        (("meta-train", "meta-val", "meta-test"), ("train", "val", "test")),
        (("base", "val", "novel"), ("base", "val", "novel")),
        (("Base", "Novel"), ("base", "novel")),
        (("train", "val"), ("train", "val")),
        (("train", "validation", "unlabeled", ".git"), ("train", "val")),
        (("images_train", "images_test"), ("train", "test")),
        (("query", "gallery"), ("gallery", "query")),
        (("Queries", "Gallery", "train", "val"), ("train", "val", "gallery", "query")),
        (("base", "query", "gallery"), ("base", "gallery", "query")),
        (("train", "query", "test"), ("train", "test")),
    ],
)
def test_usual_names_are_parts_in_any_case(tmp_path, folders, parts):
    for name in folders:
        (tmp_path / name).mkdir()
    found = find_parts(tmp_path)
    assert tuple(found) == parts
    assert [part_called(name) for name in found.values()] == list(parts)
    assert set(found.values()) <= set(folders)


@pytest.mark.parametrize(
    "folders",
    [("cat", "dog"), ("train", "bus", "car"), ("train",), ("val", "test"), ("trains", "tests")],
)
def test_other_folders_are_no_parts(tmp_path, folders):
    for name in folders:
        (tmp_path / name).mkdir()
    assert find_parts(tmp_path) is None


@pytest.mark.parametrize(
    "folders",
    [
        ("train", "val", "valid", "test"),
        ("train", "Train", "test"),
        ("base", "novel", "train", "test"),
        ("train", "test", "query", "gallery"),
        ("query", "queries", "gallery"),
    ],
)
def test_two_folders_for_one_part_are_refused_by_name(tmp_path, folders):
    for name in folders:
        (tmp_path / name).mkdir()
    if len(list(tmp_path.iterdir())) < len(folders):
        pytest.skip("the file system ignores case")
    with pytest.raises(DataError, match="are ambiguous: it holds"):
        find_parts(tmp_path)


def test_a_file_with_the_name_of_a_part_is_none(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "test").touch()
    assert find_parts(tmp_path) is None
