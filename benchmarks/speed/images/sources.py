"""Reading images in shards beside the same images as files.

python -m lowlabel.benchmarks.speed.images.sources
"""

import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import typer

from lowlabel.benchmarks.speed.extraction import write_photographs
from lowlabel.benchmarks.speed.timing import markdown, median_seconds
from lowlabel.datasets import open_dataset
from lowlabel.datasets.io.content_index import NAME
from lowlabel.datasets.io.pixels import open_rgb
from lowlabel.paths import home

_CLASSES = 10


def main(images: int = 1000, shards: int = 4, repeats: int = 7) -> None:
    """Prints the seconds to list, to hash and to decode all images, and their ratios to files."""
    with tempfile.TemporaryDirectory() as folder:
        kinds = _written(Path(folder), images, shards)
        with mock.patch.dict(os.environ, LOWLABEL_HOME=f"{folder}/home"):
            steps: Mapping[str, Callable[[str], None]]
            steps = {"list": _list, "hash": _hash, "decode": _decode}
            jobs = {
                f"{step} {kind}": partial(do, spec)
                for step, do in steps.items()
                for kind, spec in kinds.items()
            }
            seconds = median_seconds(jobs, repeats)
    rows = []
    for kind in kinds:
        spent = {step: seconds[f"{step} {kind}"] for step in steps}
        ratios = {f"{step} ÷ files": spent[step] / seconds[f"{step} files"] for step in steps}
        whole = sum(seconds[f"{step} files"] for step in steps)
        of_all = {"all ÷ files": sum(spent.values()) / whole}
        times = {f"{step}, s": time for step, time in spent.items()}
        rows.append({"images": kind, **times, **ratios, **of_all})
    print(markdown(rows))
    print(f"\n{images:,} images in {shards} shards")


def _list(spec: str) -> None:
    """Lists the images anew: what is known of a shard counts for one state of it."""
    path = Path(spec.partition(":")[2])
    for file in (*path.glob("*.tar"), *path.glob("*.parquet")):
        os.utime(file)
    _ = open_dataset(spec).load("all")


def _hash(spec: str) -> None:
    (home() / NAME).unlink(missing_ok=True)
    _ = open_dataset(spec).load("all").manifest


def _decode(spec: str) -> None:
    listed = open_dataset(spec).load("all")
    for path in listed.paths:
        open_rgb(listed.root / path)


def _written(folder: Path, images: int, shards: int) -> dict[str, str]:
    """Writes the same photographs as files, tar shards and, with pyarrow, parquet files."""
    write_photographs(folder / "written", images)
    contents = [path.read_bytes() for path in sorted((folder / "written").iterdir())]
    for row, data in enumerate(contents):
        path = folder / "files" / str(row % _CLASSES) / f"{row:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "tar").mkdir()
    for shard in range(shards):
        with tarfile.open(folder / "tar" / f"{shard:03d}.tar", "w") as written:
            for row in range(shard, images, shards):
                _add(written, f"{row:05d}.jpg", contents[row])
                _add(written, f"{row:05d}.cls", str(row % _CLASSES).encode())
    kinds = {"files": f"folder:{folder / 'files'}", "tar": f"wds:{folder / 'tar'}"}
    if not find_spec("pyarrow"):
        print("left out: parquet (pyarrow is not installed)")
        return kinds
    _write_parquet(folder / "parquet", contents, shards)
    return kinds | {"parquet": f"hf:{folder / 'parquet'}"}


def _add(written: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    written.addfile(member, io.BytesIO(data))


def _write_parquet(folder: Path, contents: list[bytes], shards: int) -> None:
    import pyarrow
    from pyarrow import parquet

    folder.mkdir()
    for shard in range(shards):
        rows = range(shard, len(contents), shards)
        images = [{"bytes": contents[row], "path": None} for row in rows]
        table = pyarrow.table({"image": images, "label": [row % _CLASSES for row in rows]})
        name = f"train-{shard:05d}-of-{shards:05d}.parquet"
        parquet.write_table(table, folder / name, row_group_size=100)


if __name__ == "__main__":
    typer.run(main)
