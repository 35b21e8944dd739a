"""CIFAR-100: 100 classes of 500 train and 100 test images of 32×32 pixels (Krizhevsky 2009).

The classes are the fine ones. Read from class folders (`train/CLASS/IMAGE`, also below folders of
super-classes), or from the authors' Python or binary files or parquet files, which `prepare` turns
into class folders.
"""

from lowlabel.datasets.base import Dataset, OtherDataset
from lowlabel.datasets.cifar.cifar_10 import CIFAR_10
from lowlabel.datasets.cifar.cifar_10 import FILES as CIFAR_10_FILES
from lowlabel.datasets.cifar.distributions import Cifar
from lowlabel.datasets.cifar.fc100 import FC100

FILES = Cifar(
    name="cifar-100",
    classes=100,
    python={"train": ("train",), "test": ("test",)},
    meta=("meta", "fine_label_names"),
    binary={"train": ("train.bin",), "test": ("test.bin",)},
    names="fine_label_names.txt",
    labels="fine_labels",
    label_bytes=2,
)
_BY_ITS_NAME = "Prepare it under its name: lowlabel prepare {} --archive FILE"

CIFAR_100 = Dataset(
    name=FILES.name,
    title="CIFAR-100",
    licence=CIFAR_10.licence,
    source=CIFAR_10.source,
    obtain="cifar-100-python.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html",
    marker="test",
    divisions=(FILES.division(),),
    conversions=FILES.conversions(),
    others=(
        *(
            OtherDataset("CIFAR-10", files, _BY_ITS_NAME.format("cifar-10"))
            for files in (CIFAR_10_FILES.python_files, CIFAR_10_FILES.binary_files)
        ),
        OtherDataset("CIFAR-FS", ("splits/bertinetto/test.txt",), _BY_ITS_NAME.format("cifar-fs")),
        OtherDataset("FC100", FC100.conversions[0].files, _BY_ITS_NAME.format("fc100")),
    ),
)
