"""CIFAR-10: 10 classes of 5,000 train and 1,000 test images of 32×32 pixels (Krizhevsky 2009).

Read from class folders (`train/CLASS/IMAGE`, `test/CLASS/IMAGE`), or from the authors' Python or
binary files or parquet files, which `prepare` turns into class folders.
"""

from lowlabel.datasets.base import Dataset, OtherDataset
from lowlabel.datasets.cifar.distributions import Cifar

FILES = Cifar(
    name="cifar-10",
    classes=10,
    python={
        "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
        "test": ("test_batch",),
    },
    meta=("batches.meta", "label_names"),
    binary={
        "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        "test": ("test_batch.bin",),
    },
    names="batches.meta.txt",
    labels="labels",
    label_bytes=1,
)

CIFAR_10 = Dataset(
    name=FILES.name,
    title="CIFAR-10",
    licence="none stated (research use; drawn from 80 Million Tiny Images)",
    source="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, Toronto 2009",
    obtain="cifar-10-python.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html",
    marker="test",
    divisions=(FILES.division(),),
    conversions=FILES.conversions(),
    others=tuple(
        OtherDataset(
            "CIFAR-100",
            files,
            "Prepare it under its name: lowlabel prepare cifar-100 --archive FILE",
        )
        for files in (("train", "test", "meta"), ("train.bin", "test.bin"))
    ),
)
