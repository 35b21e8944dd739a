"""Writers of small trees in the published layouts."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowlabel.datasets.splits import split_list


@pytest.fixture(scope="session")
def write_image() -> Callable[[Path], None]:
    """Writes an image of 8×8 pixels, with its folders."""

    def write(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)

    return write


@pytest.fixture(scope="session")
def zipped() -> Callable[[Path, Path], Path]:
    """Zips a folder, whose name becomes the top level of the archive."""

    def zip_folder(folder: Path, archive: Path) -> Path:
        with zipfile.ZipFile(archive, "w") as opened:
            for path in sorted(folder.rglob("*")):
                opened.write(path, path.relative_to(folder.parent))
        return archive

    return zip_folder


@pytest.fixture
def imagenet(tmp_path: Path, write_image) -> Path:
    """A training folder with the first two images of three classes a part, and some others."""
    root = tmp_path / "ILSVRC2012" / "train"
    for part in ("base", "val", "novel"):
        for row in [r for r in split_list("mini_imagenet") if r["part"] == part][-3:]:
            for number in [*row["images"].split()[:2], "99999999"]:
                write_image(root / row["wnid"] / f"{row['wnid']}_{number}.JPEG")
        for row in [r for r in split_list("tiered_imagenet") if r["part"] == part][:3]:
            write_image(root / row["wnid"] / f"{row['wnid']}_7.JPEG")
    write_image(root / "n01930112" / "n01930112_99999998.JPEG")
    write_image(root / "n03314780" / "n03314780_1.JPEG")
    return root


@pytest.fixture(scope="session")
def lists(real_data: Path) -> Path:
    """Folder of the published class lists, beside the real archives."""
    folder = real_data.parent / "lists"
    if not folder.is_dir():
        pytest.skip(f"there are no published lists in {folder}")
    return folder
