"""What a file of `torch.save` would take in memory, before torch allocates it.

torch allocates what the pickle in a file declares, and trusts the sizes of its tensors.
"""

import mmap
import pickle
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

from lowlabel.datasets.io.pickle_scan import scan_pickle
from lowlabel.reading import require_room

_LEGACY_PICKLES = 5  # magic number, version, system, content, names of storages
_ITEM_BYTES = {
    **dict.fromkeys(("DoubleStorage", "LongStorage", "ComplexFloatStorage"), 8),
    **dict.fromkeys(("FloatStorage", "IntStorage"), 4),
    **dict.fromkeys(("HalfStorage", "BFloat16Storage", "ShortStorage"), 2),
    "ComplexDoubleStorage": 16,
}
_REFUSED = ("bytearray", "Tensor", "Storage")  # ends of names: they allocate what they are given


def check_torch_file(path: Path) -> None:
    """Reads the outline of a file, without its tensors and without running any code that it names.

    Raises:
        DataError: If its parts need far more memory than the file has bytes.
        Exception: One of `lowlabel.reading.DAMAGE`, if the file is damaged or declares tensors that
            are larger than what it holds.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if zipfile.is_zipfile(path):
            _check_archive(path)
        else:
            _check_legacy(path, data)


def _check_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        require_room(str(path), sum(sizes.values()), path.stat().st_size)
        if any(name.endswith("constants.pkl") for name in sizes):
            raise RuntimeError("it is a TorchScript archive")
        contents = [name for name in sizes if name.endswith("/data.pkl") or name == "data.pkl"]
        for name in contents:
            data = archive.read(name)
            scan_pickle(data)
            folder = name.removesuffix("data.pkl")
            for key, needed in _outline(data).items():
                there = sizes.get(f"{folder}data/{key}", 0)
                if needed > there:
                    raise ValueError(f"tensor {key} has {there:,} bytes, and declares {needed:,}")


def _check_legacy(path: Path, data: mmap.mmap) -> None:
    place, needed = 0, 0
    for _ in range(_LEGACY_PICKLES):
        end = scan_pickle(data, place)
        needed += sum(_outline(data[place:end]).values())
        place = end
    if needed > len(data) - place:
        raise ValueError(f"its tensors declare {needed:,} bytes, and {len(data) - place:,} follow")


def _outline(data: bytes) -> dict[str, int]:
    """Bytes that each storage of a pickle declares, by its key."""
    reader = _Outline(BytesIO(data), encoding="latin1")
    reader.load()
    return reader.storages


class _Made:
    """Stands for whatever a pickle makes; it keeps nothing."""

    def __new__(cls, *arguments: Any, **_: Any) -> "_Made":
        if cls.__name__.endswith(_REFUSED) and any(isinstance(each, int) for each in arguments):
            raise pickle.UnpicklingError(f"it makes a {cls.__name__} of {arguments[0]}")
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __call__(self, *_: Any, **__: Any) -> "_Made":
        return _Made()

    def __setstate__(self, state: object) -> None: ...

    def __setitem__(self, key: object, value: object) -> None: ...

    def append(self, item: object) -> None:
        """Drops an item."""

    def extend(self, items: object) -> None:
        """Drops items."""

    def add(self, item: object) -> None:
        """Drops an item."""


class _Outline(pickle.Unpickler):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.storages: dict[str, int] = {}

    def find_class(self, module: str, name: str) -> type[_Made]:
        """Returns a stand-in for whatever the pickle names."""
        return type(name, (_Made,), {})

    def persistent_load(self, pid: Any) -> Any:
        """Notes a storage: ("storage", type, key, device, number of values, …)."""
        kind, _, key, _, count, *_ = pid
        if kind != "storage" or not isinstance(count, int) or count < 0:
            raise pickle.UnpicklingError(f"it refers to {str(pid)[:60]}")
        size = count * _ITEM_BYTES.get(getattr(pid[1], "__name__", ""), 1)
        self.storages[str(key)] = max(size, self.storages.get(str(key), 0))
        return _Made()
