import pytest

from lowlabel.datasets.images import ImageSet, LabelledPath
from lowlabel.datasets.io.overlap import read_overlap
from lowlabel.errors import DataError


@pytest.fixture
def images(tmp_path):
    listing = [LabelledPath(f"{name}/{n}.png", name) for name in ("cat", "dog") for n in (0, 1)]
    return ImageSet.from_listing("d:all", "test", tmp_path, listing)


@pytest.fixture
def read(tmp_path):
    def of(text):
        file = tmp_path / "list"
        file.write_text(text)
        return read_overlap(file)

    return of


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("cat/1.png\n", [1]),
        ("dog\ncat/0.png\n", [0, 2, 3]),
        ("class\ndog\n", [2, 3]),
        ("path,note\n./dog/0.png,seen\n", [2]),
        ("path,class\ncat/0.png,cat\n,dog\n", [0, 2, 3]),  # a path is that image alone
        ("bird\n", []),
    ],
)
def test_images_are_named_by_path_or_class(read, images, text, rows):
    assert read(text).rows(images) == rows


def test_what_no_image_has_is_unknown(read):
    listing = [LabelledPath("cat/0.png", "cat")]
    assert read("bird\ncat\ncat/0.png\nbird\n").unknown(listing) == ["bird"]


def test_an_empty_list_is_an_error(read):
    for text in ("\n", "path\n"):
        with pytest.raises(DataError, match="names no image and no class"):
            read(text)
