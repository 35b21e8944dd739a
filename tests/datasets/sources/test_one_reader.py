"""The same awkward images have the same outcome through every source of images."""

import io
import json
import struct
import tarfile
import zlib

import numpy as np
import pytest
from PIL import Image

from lowlabel.datasets import open_dataset
from lowlabel.errors import DataError
from lowlabel.features import ExtractionOptions, extract_features, load_backbone

SOURCES = ("folder", "csv", "hf", "wds", "torchvision")
EXIF_ORIENTATION = 0x0112


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def huge_header():
    """A PNG file that declares 100,000×100,000 pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + checksum


def awkward():
    """Images of every kind that readers treat differently, by name."""
    random = np.random.default_rng(0)
    rgb = Image.fromarray(random.integers(0, 256, (24, 16, 3), dtype=np.uint8))
    rgba = rgb.copy()
    rgba.putalpha(Image.fromarray(random.integers(0, 256, (24, 16), dtype=np.uint8)))
    turned = Image.Exif()
    turned[EXIF_ORIENTATION] = 6
    grey = random.integers(0, 65_536, (24, 16)).astype(np.uint16)
    return {
        "1": encoded(rgb.convert("1")),
        "animation": encoded(rgb, "GIF", save_all=True, append_images=[rgba.convert("RGB")]),
        "cmyk": encoded(rgb.convert("CMYK"), "JPEG"),
        "deep": encoded(Image.fromarray(grey)),
        "empty": b"",
        "exif": encoded(rgb, "JPEG", exif=turned, quality=95),
        "float": encoded(Image.fromarray(np.full((9, 9), 1.5, np.float32)), "TIFF"),
        "grey": encoded(rgb.convert("L")),
        "huge": huge_header(),
        "palette": encoded(rgba.quantize(16)),
        "plain": encoded(rgb),
        "text": b"<svg></svg>",
        "transparent": encoded(rgba),
        "truncated": encoded(rgb, "JPEG")[:300],
        "truncatedpng": encoded(rgb)[:200],
    }


BAD = {"empty", "float", "huge", "text", "truncated", "truncatedpng"}


def _folder(root, images):
    for name, data in images.items():
        path = root / "a" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return f"folder:{root}"


def _csv(root, images):
    _folder(root, images)
    rows = [f"a/{name}.jpg,a" for name in images]
    (root / "list.csv").write_text("\n".join(["path,label", *rows]))
    return f"csv:{root / 'list.csv'}"


def _hf(root, images):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    root.mkdir()
    rows = [{"bytes": data, "path": None} for data in images.values()]
    table = pyarrow.table({"image": rows, "label": ["a"] * len(rows)})
    write_table(table, root / "all.parquet", row_group_size=5)
    return f"hf:{root}"


def _wds(root, images):
    root.mkdir()
    with tarfile.open(root / "all.tar", "w") as written:
        for key, data in images.items():
            for name, content in ((f"{key}.jpg", data), (f"{key}.cls", b"a")):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                written.addfile(member, io.BytesIO(content))
    return f"wds:{root / 'all.tar'}"


def _torchvision(root, images):
    _folder(root / "food-101" / "images", images)
    (root / "food-101" / "meta").mkdir()
    names = json.dumps({"a": [f"a/{name}" for name in images]})
    for part in ("train", "test"):
        (root / "food-101" / "meta" / f"{part}.json").write_text(names)
    return f"torchvision:Food101,root={root}"


WRITERS = dict(zip(SOURCES, (_folder, _csv, _hf, _wds, _torchvision), strict=True))


def opened(source, tmp_path, images):
    """The images of a source, which lists them in the order of their names."""
    spec = WRITERS[source](tmp_path / source, images)
    dataset = open_dataset(spec, allow_partial=True)
    return dataset.load(dataset.division.evaluated)


def named(images, paths):
    """The names of paths of an image set."""
    names = sorted(awkward())
    rows = {path: row for row, path in enumerate(images.paths)}
    return {names[rows[path]] for path in paths}


@pytest.mark.parametrize("orientation", ["stored", "exif"])
@pytest.mark.parametrize("source", SOURCES)
def test_features_and_bad_images_are_those_of_files(source, orientation, tmp_path):
    images = dict(sorted(awkward().items()))
    backbone = load_backbone("pixels", resolution=8, orientation=orientation)
    options = ExtractionOptions(skip_bad_images=True)
    files = opened("folder", tmp_path / "files", images)
    expected = extract_features(backbone, files, options)
    found = opened(source, tmp_path, images)
    table = extract_features(backbone, found, options)
    assert named(found, table.bad_images) == BAD
    np.testing.assert_array_equal(table.features, expected.features)
    stored = extract_features(load_backbone("pixels", resolution=8), files, options)
    rows = [name for name in images if name not in BAD]
    differing = (table.features != stored.features).any(1)
    assert {name for name, turned in zip(rows, differing, strict=True) if turned} == (
        {"exif"} if orientation == "exif" else set()
    )


@pytest.mark.parametrize("source", SOURCES)
def test_contents_and_depth_are_those_of_files(source, tmp_path):
    images = dict(sorted(awkward().items()))
    files = opened("folder", tmp_path / "files", images).manifest
    found = opened(source, tmp_path, images).manifest
    assert found.contents == files.contents
    assert found.deep
    shallow = {name: data for name, data in images.items() if name not in ("deep", "float")}
    (tmp_path / "shallow").mkdir()
    assert not opened(source, tmp_path / "shallow", shallow).manifest.deep


@pytest.mark.parametrize("source", SOURCES)
def test_the_reasons_of_bad_images_are_those_of_files(source, tmp_path):
    images = dict(sorted(awkward().items()))
    backbone = load_backbone("pixels", resolution=8)

    def reasons(found):
        with pytest.raises(DataError, match=r"6 of 15 images under .* cannot be decoded") as error:
            extract_features(backbone, found)
        lines = error.value.message.splitlines()[1:]
        return [line.partition(": ")[2] for line in lines]

    files = opened("folder", tmp_path / "files", images)
    assert reasons(opened(source, tmp_path, images)) == reasons(files)
    assert len(reasons(files)) == len(BAD)
