import pytest
from PIL import Image

from lowlabel.datasets import find_dataset
from lowlabel.datasets.folder import folder_dataset
from lowlabel.datasets.splits.min_images import enough_images
from lowlabel.errors import DataError, InputError


@pytest.fixture
def folder(tmp_path):
    """Class folders with 3, 1 and 2 images; in `parts`, train and test with the same classes."""
    for name, count in (("a", 3), ("b", 1), ("c", 2)):
        for number in range(count):
            for top in ("whole", "parts/train", "parts/test"):
                if top == "parts/train" and name == "c" and number:
                    continue
                path = tmp_path / top / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", (4, 4)).save(path)
    return tmp_path


def restricted(path, least):
    dataset = folder_dataset(path)
    return enough_images(dataset, dataset.divisions[0], least)


def test_classes_with_too_few_images_are_left_out_and_counted(folder):
    division = restricted(folder / "whole", 2)
    assert {image.class_name for image in division.read(folder / "whole", "all")} == {"a", "c"}
    assert division.small_classes(folder / "whole", "all") == {"b": 1}
    assert (division.name, division.min_images) == ("all-min2", 2)


def test_a_class_that_one_part_has_too_few_of_leaves_all_parts(folder):
    division = restricted(folder / "parts", 2)
    for part in division.parts:
        assert {image.class_name for image in division.read(folder / "parts", part)} == {"a"}
    assert division.small_classes(folder / "parts", "test") == {"b": 1, "c": 2}


def test_what_cannot_be_restricted_says_so(folder):
    with pytest.raises(
        InputError, match="goes with data of your own, as folder:PATH, and demo has published"
    ):
        enough_images(*[(d := find_dataset("demo")[0]), d.divisions[0]], 2)
    with pytest.raises(InputError, match="leaves nothing out"):
        restricted(folder / "whole", 1)
    with pytest.raises(DataError, match=r"no class of .* has 9 images; the largest has 3"):
        restricted(folder / "whole", 9).read(folder / "whole", "all")
    dataset = folder_dataset(folder / "whole")
    assert enough_images(dataset, dataset.divisions[0], 0) is dataset.divisions[0]
