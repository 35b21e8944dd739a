"""Listing of a folder of ILSVRC2012 training images, shared by ImageNet's few-shot datasets.

The folder holds `WNID/WNID_N.JPEG`, as unpacked from the training archive, and is never copied.
"""

from collections.abc import Iterable
from pathlib import Path

from lowlabel.datasets.images import LabelledPath

OBTAIN = "the folder of ILSVRC2012 training images (WNID/WNID_N.JPEG) from https://image-net.org"
LICENCE = "images under their owners' terms; ImageNet's non-commercial research agreement"


def images_of_class(
    root: Path, wnid: str, numbers: Iterable[str] | None = None
) -> list[LabelledPath]:
    """Lists the images of one class that exist, sorted by name.

    Args:
        root: Folder of the class folders.
        wnid: WordNet id of the class.
        numbers: Each N of the wanted `WNID_N.JPEG`; None for all images of the class.
    """
    wanted = None if numbers is None else {f"{wnid}_{number}.JPEG" for number in numbers}
    names = sorted(path.name for path in (root / wnid).glob(f"{wnid}_*.JPEG"))
    return [
        LabelledPath(f"{wnid}/{name}", wnid) for name in names if wanted is None or name in wanted
    ]
