"""ImageNet-1k in the layouts of its archives, of Kaggle and of unpacked folders."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from lowlabel.datasets import DATASETS, open_dataset, prepare
from lowlabel.errors import DataError

WNIDS = ("n01440764", "n01443537", "n15075141")  # the first, the second and the last class
CLASS_OF = {1: WNIDS[2], 2: WNIDS[0], 3: WNIDS[0], 4: WNIDS[1]}  # of each validation image
VALIDATION = {f"ILSVRC2012_val_{image:08d}": wnid for image, wnid in CLASS_OF.items()}


@pytest.fixture
def train(tmp_path: Path, write_image) -> Path:
    for wnid in WNIDS:
        for number in (7, 10026):
            write_image(tmp_path / "ILSVRC2012/train" / wnid / f"{wnid}_{number}.JPEG")
    return tmp_path / "ILSVRC2012/train"


@pytest.fixture
def flat(tmp_path: Path, write_image) -> Path:
    """The validation images in one folder, as in their archive."""
    for name in VALIDATION:
        write_image(tmp_path / "ILSVRC2012/val" / f"{name}.JPEG")
    return tmp_path / "ILSVRC2012/val"


def devkit(folder: Path) -> Path:
    """`meta.mat` numbers the classes by ILSVRC2012_ID, in an order that is not alphabetical."""
    data = folder / "ILSVRC2012_devkit_t12/data"
    data.mkdir(parents=True)
    order = [*WNIDS[::-1], "n00001740"]  # the last is an inner node of WordNet
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O")]
    synsets = np.array([(i, wnid, "a, b", 0) for i, wnid in enumerate(order, 1)], dtype=kind)
    savemat(data / "meta.mat", {"synsets": synsets.reshape(-1, 1)})
    numbers = [order.index(wnid) + 1 for wnid in CLASS_OF.values()]
    truth = data / "ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("".join(f"{number}\n" for number in numbers))
    return data.parent


def tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def check(root_of_train: str) -> None:
    """The prepared dataset has every image under its class."""
    opened = open_dataset("imagenet", allow_partial=True)
    train, val = opened.load("train"), opened.load("val")
    assert train.class_names == val.class_names == WNIDS
    assert {path.rpartition("/")[0] for path in train.paths} == {
        f"{root_of_train}{wnid}" for wnid in WNIDS
    }
    named = {
        Path(path).stem: val.class_names[k] for path, k in zip(val.paths, val.labels, strict=True)
    }
    assert named == VALIDATION
    assert all((val.root / path).is_file() for path in (*train.paths, *val.paths))
    assert opened.division.shared_classes
    assert (opened.division.train_part, opened.division.evaluated) == ("train", "val")
    assert opened.division.validation_part is None


def test_class_folders_of_both_parts(train, tmp_path, write_image):
    for name, wnid in VALIDATION.items():
        write_image(tmp_path / "ILSVRC2012/val" / wnid / f"{name}.JPEG")
    prepare(DATASETS["imagenet"], train.parent, allow_partial=True)
    check("ILSVRC2012/train/")


@pytest.mark.parametrize("inside", [True, False])
def test_flat_validation_images_with_the_devkit(train, flat, tmp_path, inside):
    kit = devkit(train.parent if inside else tmp_path)
    archives = (train.parent,) if inside else (train.parent, kit)
    prepare(DATASETS["imagenet"], *archives, allow_partial=True)
    check("ILSVRC2012/train/")


def test_the_published_archives(train, flat, tmp_path):
    classes = {}
    for wnid in WNIDS:
        files = {path.name: path.read_bytes() for path in (train / wnid).iterdir()}
        classes[f"{wnid}.tar"] = tar(tmp_path / f"{wnid}.tar", files).read_bytes()
    images = tar(tmp_path / "ILSVRC2012_img_train.tar", classes)
    val = tar(
        tmp_path / "ILSVRC2012_img_val.tar",
        {path.name: path.read_bytes() for path in sorted(flat.iterdir())},
    )
    kit = devkit(tmp_path)
    packed = tmp_path / "ILSVRC2012_devkit_t12.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(kit, kit.name)
    prepare(DATASETS["imagenet"], images, val, packed, allow_partial=True)
    check("")


def write_kaggle(list_of: Path) -> None:
    rows = [f"{name},{wnid} 85 1 499 272 {wnid} 1 2 3 4" for name, wnid in VALIDATION.items()]
    list_of.write_text("ImageId,PredictionString\n" + "\n".join(reversed(rows)) + "\n")


@pytest.mark.parametrize("given", ["", "ILSVRC"])
def test_kaggles_layout(tmp_path, write_image, given):
    top = tmp_path / "kaggle"
    data = top / "ILSVRC/Data/CLS-LOC"
    for wnid in WNIDS:
        write_image(data / "train" / wnid / f"{wnid}_7.JPEG")
    for name in VALIDATION:
        write_image(data / "val" / f"{name}.JPEG")
    write_image(data / "test/ILSVRC2012_test_00000001.JPEG")
    sets = top / "ILSVRC/ImageSets/CLS-LOC"
    sets.mkdir(parents=True)
    (sets / "val.txt").write_text("".join(f"{n} {i}\n" for i, n in enumerate(VALIDATION, 1)))
    write_kaggle(top / "LOC_val_solution.csv")
    archives = [top / given, top / "LOC_val_solution.csv"] if given else [top]
    prepare(DATASETS["imagenet"], *archives, allow_partial=True)
    check(f"{'ILSVRC' if given else 'kaggle/ILSVRC'}/Data/CLS-LOC/train/")


@pytest.mark.parametrize("suffix", [".JPEG", ""])
@pytest.mark.parametrize("kind", ["wnid", "number", "ordered"])
def test_a_list_of_names_and_classes(train, flat, suffix, kind):
    order = list(WNIDS) if kind == "ordered" else None
    numbers = {WNIDS[0]: 0, WNIDS[1]: 1, WNIDS[2]: 999}
    if order:
        order = [WNIDS[1], WNIDS[2], WNIDS[0]]
        (train.parent / "synsets.txt").write_text("\n".join(order))
        numbers = {wnid: number for number, wnid in enumerate(order)}
    labels = {name: wnid if kind == "wnid" else numbers[wnid] for name, wnid in VALIDATION.items()}
    lines = [f"{name}{suffix} {label}" for name, label in labels.items()]
    (train.parent / "val.txt").write_text("\n".join(lines))
    prepare(DATASETS["imagenet"], train.parent, allow_partial=True)
    check("ILSVRC2012/train/")


def no_list(folder: Path) -> None:
    """Nothing says the classes."""


def counts_images(folder: Path) -> None:
    (folder / "val.txt").write_text("ILSVRC2012_val_00000001 1\nILSVRC2012_val_00049981 49981\n")


def without_meta(folder: Path) -> None:
    (devkit(folder) / "data/meta.mat").unlink()


def too_short(folder: Path) -> None:
    (folder / "val.txt").write_text("ILSVRC2012_val_00000001.JPEG n01440764\n")


def no_wnids(folder: Path) -> None:
    (folder / "val.txt").write_text("ILSVRC2012_val_00000001.JPEG tench\n")


def damaged_meta(folder: Path) -> None:
    (devkit(folder) / "data/meta.mat").write_bytes(b"MATLAB 5.0 MAT-file" + b"\0" * 200)


def other_numbers(folder: Path) -> None:
    truth = devkit(folder) / "data/ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("1\n2\n999\n1\n")


def no_kaggle_list(folder: Path) -> None:
    (folder / "LOC_val_solution.csv").write_text("name,class\na,b\n")


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (no_list, "no list says their classes: there is no LOC_val_solution.csv"),
        (counts_images, "has the number 49,981, and there are 1,000 classes"),
        (without_meta, "numbers the classes by meta.mat, which is not there"),
        (too_short, "3 of the 4 validation images .* have no class in the list"),
        (no_wnids, "gives the class 'tench', which is no WordNet id"),
        (damaged_meta, "cannot read the classes in .*meta.mat"),
        (other_numbers, "does not hold class numbers of .*meta.mat: 999"),
        (no_kaggle_list, "does not have rows ImageId,PredictionString"),
    ],
)
def test_lists_that_do_not_say_the_classes(train, flat, write: Callable[[Path], None], said):
    write(train.parent)
    with pytest.raises(DataError, match=said) as error:
        prepare(DATASETS["imagenet"], train.parent, allow_partial=True)
    assert "lowlabel prepare imagenet --archive" in error.value.hint


def test_missing_validation_images_are_counted(train, flat):
    devkit(train.parent)
    (flat / "ILSVRC2012_val_00000003.JPEG").unlink()
    with pytest.raises(DataError, match=r"1 listed files are missing: .*_00000003\.JPEG"):
        prepare(DATASETS["imagenet"], train.parent)


def test_a_folder_without_validation_images_is_refused(train):
    with pytest.raises(DataError, match="holds no validation images: neither a folder val/"):
        prepare(DATASETS["imagenet"], train, allow_partial=True)


def test_tiny_imagenet_is_refused_by_name(tmp_path, write_image):
    write_image(tmp_path / "tiny/train/n01443537/images/n01443537_0.JPEG")
    (tmp_path / "tiny/val").mkdir()
    (tmp_path / "tiny/val/val_annotations.txt").touch()
    (tmp_path / "tiny/wnids.txt").touch()
    with pytest.raises(DataError, match="holds Tiny-ImageNet, not ImageNet-1k"):
        prepare(DATASETS["imagenet"], tmp_path / "tiny", allow_partial=True)
