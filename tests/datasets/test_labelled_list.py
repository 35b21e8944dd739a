import pytest

from lowlabel.datasets.labelled_list import listed_rows
from lowlabel.errors import DataError

IMAGES = ["train/crow/1.jpg", "train/crow/2.jpg", "train/gull/1.jpg", "train/gull/3.jpg"]


@pytest.fixture
def write(tmp_path):
    def make(text):
        path = tmp_path / "one percent.txt"
        path.write_bytes(text.encode())
        return path

    return make


@pytest.mark.parametrize(
    "text",
    [
        "2.jpg\n3.jpg\n",
        "3.jpg\r\ncrow/2.jpg\r\n",
        "\ufefftrain/gull/3.jpg\n\n./train/crow/2.jpg",
        "gull\\3.jpg\n2.jpg",
    ],
)
def test_names_and_paths_are_found(write, text):
    assert listed_rows(write(text), IMAGES) == ([1, 3], 0)


def test_names_that_no_image_has_are_counted(write):
    assert listed_rows(write("2.jpg\nrow/1.jpg\n9.jpg\n"), IMAGES) == ([1], 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.jpg\n2.jpg", "1 names .* fit several images: 1.jpg"),
        ("8.jpg\n9.jpg", "none of the 2 images .* such as train/crow/1.jpg"),
        ("2.jpg\n./2.jpg", "1 images more than once"),
        ("\n \n", "names no image"),
    ],
)
def test_other_lists_are_refused(write, text, message):
    with pytest.raises(DataError, match=message):
        listed_rows(write(text), IMAGES)


def test_a_missing_list_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"none\.txt"):
        listed_rows(tmp_path / "none.txt", IMAGES)
