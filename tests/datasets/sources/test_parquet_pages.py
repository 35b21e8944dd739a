"""Images out of the pages of parquet files: as pyarrow reads them, or not at all."""

import random

import numpy as np
import pytest

from lowlabel.datasets.sources import parquet_rows
from lowlabel.datasets.sources.parquet_pages import _numbers, chunks_of, read_chunk
from lowlabel.errors import DataError

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def images_of(count, *, missing=False, equal=False):
    draw = np.random.default_rng(0)
    images = [draw.bytes(int(draw.integers(0, 3000))) for _ in range(1 if equal else count)]
    images *= count if equal else 1
    return [None if missing and row % 3 == 1 else image for row, image in enumerate(images)]


def written(path, images, *, nested=True, required=False, **options):
    column = [{"bytes": image, "path": None} for image in images] if nested else images
    table = pyarrow.table({"image": column, "label": [0] * len(images)})
    if required:
        fields = [pyarrow.field("image", pyarrow.binary(), nullable=False), table.schema.field(1)]
        table = table.cast(pyarrow.schema(fields))
    parquet.write_table(table, path, **{"row_group_size": 40} | options)
    return path


def chunks(path):
    with parquet.ParquetFile(path) as file:
        leaves = [file.schema.column(n).path for n in range(len(file.schema.names))]
        return [*chunks_of(file.metadata, 0)], leaves


def by_pages(path):
    found, _ = chunks(path)
    return [read_chunk(path, chunk, path.stat().st_size) for chunk in found]


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("dictionary", [False, True])
@pytest.mark.parametrize("compression", ["none", "snappy"])
@pytest.mark.parametrize("page", [1 << 20, 5000])
def test_images_are_those_that_were_written(tmp_path, required, dictionary, compression, page):
    images = images_of(100)
    path = written(
        *(tmp_path / "a.parquet", images),
        nested=not required,
        required=required,
        use_dictionary=dictionary,
        compression=compression,
        data_page_size=page,
        write_batch_size=7,
    )
    groups = by_pages(path)
    assert [len(group) for group in groups] == [40, 40, 20]
    assert [image for group in groups for image in group] == images


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("dictionary", [False, True])
@pytest.mark.parametrize("limit", [1 << 20, 20_000])  # of the dictionary, before plain pages
def test_rows_without_an_image_are_none(tmp_path, nested, dictionary, limit):
    images = images_of(100, missing=True)
    path = written(
        *(tmp_path / "a.parquet", images),
        nested=nested,
        use_dictionary=dictionary,
        dictionary_pagesize_limit=limit,
        write_batch_size=7,
    )
    assert [image for group in by_pages(path) for image in group] == images


@pytest.mark.parametrize("images", [images_of(100, equal=True), [None] * 100, [b""] * 100, []])
def test_equal_and_empty_images(tmp_path, images):
    path = written(tmp_path / "a.parquet", images or [b"a"], nested=False)
    assert [image for group in by_pages(path) for image in group] == (images or [b"a"])


@pytest.mark.parametrize(
    "options",
    [
        {"data_page_version": "2.0"},
        {"compression": "zstd"},
        {"use_dictionary": False, "column_encoding": {"image": "DELTA_LENGTH_BYTE_ARRAY"}},
    ],
    ids=str,
)
def test_pages_of_other_forms_are_left_to_pyarrow(tmp_path, options):
    images = images_of(50)
    path = written(tmp_path / "a.parquet", images, nested=False, **options)
    assert by_pages(path) == [None, None]
    names = [str(row) for row in range(50)]
    assert [*parquet_rows.parquet_members(path, names)] == images


def test_damaged_pages_give_no_other_images_than_pyarrow(tmp_path):
    whole = written(tmp_path / "a.parquet", images_of(40, missing=True)).read_bytes()
    (chunk,), _ = chunks(tmp_path / "a.parquet")
    draw = random.Random(0)
    path = tmp_path / "b.parquet"
    read = 0
    for _ in range(300):
        data = bytearray(whole)
        near = draw.choice(
            [chunk.start, chunk.start + chunk.size - 100]
        )  # headers, levels, indices
        for _ in range(draw.randint(1, 3)):
            data[near + draw.randrange(100)] = draw.randrange(256)
        path.write_bytes(data)
        if (images := read_chunk(path, chunk, len(data))) is not None:
            read += 1
            assert images == parquet_rows._by_pyarrow(path, 0, len(data))
    assert 0 < read < 300


@pytest.mark.parametrize("size", [10, 3000])
def test_a_file_that_is_cut_off_gives_nothing(tmp_path, size):
    path = written(tmp_path / "a.parquet", images_of(40))
    (chunk,), _ = chunks(path)
    stored = path.stat().st_size
    path.write_bytes(path.read_bytes()[:size])
    assert read_chunk(path, chunk, stored) is None
    assert read_chunk(path, chunk, size) is None


def test_rows_that_a_few_bytes_stand_for_are_refused(tmp_path):
    path = written(tmp_path / "a.parquet", images_of(40, equal=True), nested=False)
    (chunk,), _ = chunks(path)
    with pytest.raises(DataError, match="would need"):
        read_chunk(path, chunk._replace(rows=10**9), path.stat().st_size)
    path = written(tmp_path / "b.parquet", [bytes(10**6)] * 100, nested=False, row_group_size=100)
    (chunk,), _ = chunks(path)
    with pytest.raises(DataError, match="would need"):
        read_chunk(path, chunk, path.stat().st_size)


@pytest.mark.parametrize(
    ("data", "width", "count", "expected"),
    [
        (b"\x08\x03", 2, 4, [3] * 4),  # a run of four
        (b"\x03\x88\xc6\xfa", 3, 8, range(8)),  # the example of the specification
        (b"\x03\x88\xc6\xfa\x04\x05", 3, 10, [*range(8), 5, 5]),
        (b"\x03\x88\xc6\xfa", 3, 5, range(5)),
        (b"\xc8\x01", 0, 100, [0] * 100),
    ],
)
def test_runs_of_numbers(data, width, count, expected):
    assert [*_numbers(memoryview(data), width, count)] == [*expected]


@pytest.mark.parametrize("data", [b"\x03\x88\xc6", b"\x08", b"", b"\xff" * 20])
def test_numbers_that_are_cut_off_or_absurd_are_refused(data):
    with pytest.raises((ValueError, IndexError)):
        _numbers(memoryview(data), 3, 8)
