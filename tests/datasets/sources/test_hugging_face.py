"""`hf:FOLDER`: parquet files in the layouts of the Hub, read in place."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from lowlabel.datasets import open_dataset
from lowlabel.datasets.sources.members import read_members
from lowlabel.errors import DataError
from lowlabel.features import ExtractionOptions, extract_features, load_backbone

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
NAMES = ["ant", "bee", "cat"]


def encoded(seed, mode="RGB"):
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 8, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def write(path, images, labels, names=NAMES, column="label", row_group_size=2, **more):
    """Writes a file as `Dataset.to_parquet` does: a struct of bytes and path, and metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    features = {"image": {"_type": "Image"}, column: {"names": names, "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})} if names else {}
    table = pyarrow.table(
        {
            "image": [{"bytes": data, "path": None} for data in images],
            column: labels,
            **more,
        }
    )
    parquet.write_table(
        table.replace_schema_metadata(metadata), path, row_group_size=row_group_size
    )


@pytest.fixture
def stored(tmp_path):
    """Two shards of train and one of test, as on the Hub."""
    folder = tmp_path / "birds"
    for shard in (0, 1):
        images = [encoded(10 * shard + n) for n in range(5)]
        name = f"train-{shard:05d}-of-00002-0123456789abcdef.parquet"
        write(folder / "data" / name, images, [0, 1, 2, 0, 1])
    write(folder / "data" / "test-00000-of-00001.parquet", map(encoded, range(90, 93)), [0, 1, 2])
    return folder


def test_shards_are_the_parts_that_they_are_called(stored):
    opened = open_dataset(f"hf:{stored}")
    assert (opened.name, opened.title) == ("hf:birds:splits", "birds")
    assert opened.division.parts == ("train", "test")
    assert opened.division.shared_classes
    train = opened.load("train")
    assert train.class_names == tuple(NAMES)
    assert train.labels.tolist() == [0, 1, 2, 0, 1] * 2
    assert train.paths[5].endswith("train-00001-of-00002-0123456789abcdef.parquet/000000")


def test_features_and_contents_are_those_of_the_same_images_as_files(stored, tmp_path):
    backbone = load_backbone("pixels", resolution=8)
    images = open_dataset(f"hf:{stored}").load("train")
    for row in range(10):
        path = tmp_path / "files" / images.class_names[images.labels[row]] / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(10 * (row // 5) + row % 5))
    files = open_dataset(f"folder:{tmp_path / 'files'}").load("all")
    order = [int(path.split("/")[1][0]) for path in files.paths]
    ours, theirs = (extract_features(backbone, each).features for each in (images, files))
    np.testing.assert_array_equal(ours[order], theirs)
    hashes = (images.manifest.contents, files.manifest.contents)
    ours, theirs = ([each[32 * n : 32 * n + 32] for n in range(10)] for each in hashes)
    assert [ours[row] for row in order] == theirs


def test_a_changed_image_changes_the_manifest_and_is_read_anew(stored, clock):
    before = open_dataset(f"hf:{stored}").load("test")
    features = extract_features(load_backbone("pixels", resolution=8), before).features
    assert open_dataset(f"hf:{stored}").load("test").known_manifest == before.manifest
    images = [encoded(90), encoded(5), encoded(92)]
    write(stored / "data" / "test-00000-of-00001.parquet", images, [0, 1, 2])
    after = open_dataset(f"hf:{stored}").load("test")
    assert after.manifest.sha256 != before.manifest.sha256
    changed = extract_features(load_backbone("pixels", resolution=8), after).features
    assert (changed != features).any(1).tolist() == [False, True, False]


@pytest.mark.parametrize("broken", [b"no image", None, b""])
def test_damaged_and_missing_images_are_bad_images(tmp_path, broken):
    write(tmp_path / "a.parquet", [encoded(0), broken, encoded(2)], [0, 1, 2])
    images, backbone = open_dataset(f"hf:{tmp_path}").load("all"), load_backbone("pixels")
    with pytest.raises(DataError, match=r"1 of 3 images under .* cannot be decoded") as error:
        extract_features(backbone, images)
    assert "a.parquet/000001" in error.value.message
    table = extract_features(backbone, images, ExtractionOptions(skip_bad_images=True))
    assert table.bad_images == ("a.parquet/000001",)
    assert len(table.features) == 2


def test_modes_follow_the_rules_of_files(tmp_path):
    write(
        tmp_path / "a.parquet",
        [encoded(0, "I;16") if n else encoded(0, "L") for n in (0, 1)],
        [0, 1],
    )
    assert open_dataset(f"hf:{tmp_path}").load("all").manifest.deep


@pytest.mark.parametrize(
    "names",
    [
        ("train/0000.parquet", "test/0000.parquet"),
        ("default/train/0000.parquet", "default/test/0000.parquet"),
        ("train.parquet", "test.parquet"),
        ("train_00000.parquet", "test_00000.parquet"),
    ],
)
def test_other_layouts_of_splits_are_parts_too(tmp_path, names):
    for name in names:
        write(tmp_path / name, [encoded(0), encoded(1)], [0, 1])
    assert open_dataset(f"hf:{tmp_path}").division.parts == ("train", "test")


def test_labels_without_names_and_of_another_column_are_taken(tmp_path):
    write(tmp_path / "a.parquet", [encoded(0), encoded(1)], ["x", "y"], names=None)
    assert open_dataset(f"hf:{tmp_path}").load("all").class_names == ("x", "y")
    write(tmp_path / "a.parquet", [encoded(0), encoded(1)], [1, 0], column="fine_label")
    with pytest.raises(DataError, match="no column label or labels; it has: image, fine_label"):
        open_dataset(f"hf:{tmp_path}")
    opened = open_dataset(f"hf:{tmp_path},label=fine_label")
    assert opened.load("all").labels.tolist() == [1, 0]


def test_what_is_no_such_folder_is_said_with_the_fix(tmp_path):
    with pytest.raises(DataError, match="there is no folder"):
        open_dataset(f"hf:{tmp_path / 'none'}")
    (tmp_path / "data-00000-of-00001.arrow").touch()
    with pytest.raises(DataError, match=r"no parquet files, but data-00000") as error:
        open_dataset(f"hf:{tmp_path}")
    assert "to_parquet" in error.value.hint
    (tmp_path / "train.parquet").write_bytes(b"PAR1, and then nothing")
    with pytest.raises(DataError, match=r"train\.parquet cannot be read"):
        open_dataset(f"hf:{tmp_path}")
    write(tmp_path / "train.parquet", [encoded(0), encoded(1)], [0, -1])
    with pytest.raises(DataError, match=r"1 of the 2 rows of .* have no label"):
        open_dataset(f"hf:{tmp_path}")
    write(tmp_path / "train.parquet", [encoded(0)], [0])
    write(tmp_path / "other" / "train.parquet", [encoded(0)], [0])
    with pytest.raises(DataError, match=r"the split train of .* lies in several folders"):
        open_dataset(f"hf:{tmp_path}")


def test_files_with_two_columns_of_images_are_refused(tmp_path):
    more = {"mask": [{"bytes": encoded(3), "path": ""}] * 2}
    write(tmp_path / "a.parquet", [encoded(0), encoded(1)], [0, 1], **more)
    with pytest.raises(DataError, match="2 columns of images: image, mask"):
        open_dataset(f"hf:{tmp_path}").load("all").manifest  # noqa: B018


@pytest.mark.parametrize(
    ("labels", "names", "complaint"),
    [
        (["ant", "bee"], NAMES, "has the label 'ant', but names 3 classes"),
        ([-2, 0], NAMES, "has the label -2, but names 3 classes"),
        ([0.0, 1.0], NAMES, "has the label 0.0, but names 3 classes"),
        ([[[0]], [[1]]], NAMES, "label of .* holds list<.*>, not numbers or texts"),
        ([[0, 3], [1]], NAMES, r"has the label \[0, 3\], but names 3 classes"),
        ([[0], []], NAMES, "1 of the 2 rows of .* have no label in .* the first is row 1"),
        ([[0], None], NAMES, "1 of the 2 rows of .* have no label"),
        ([[0, None], [1, -1]], NAMES, "2 of the 2 rows of .* have no label"),
        ([["a|b"], ["b"]], None, r"the label 'a\|b' of .* holds \|"),
        ([[0, 1, 1], [1, 0, 0]], None, "are 3 values of 0 and 1 for each image: a flag"),
        ([[False, True, True], [True, True, True]], None, "a flag for each class"),
        ([{"a": 0}, {"a": 1}], None, "label of .* holds struct<.*>, not numbers or texts"),
        ([0.0, float("nan")], None, "1 of the 2 rows of .* have no label"),
        ([], None, "has no rows"),
    ],
)
def test_labels_that_name_no_class_are_refused(tmp_path, labels, names, complaint):
    images = [encoded(0)] * len(labels) if labels else []
    kind = pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})
    table = pyarrow.table({"image": pyarrow.array([], kind), "label": pyarrow.array([], "int8")})
    if labels:
        write(tmp_path / "x/test.parquet", images, labels, names=names)
    else:
        (tmp_path / "x").mkdir()
        parquet.write_table(table, tmp_path / "x/test.parquet")
    with pytest.raises(DataError, match=complaint):
        open_dataset(f"hf:{tmp_path / 'x'}")


@pytest.mark.parametrize("feature", [
    lambda names: {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "Sequence"},
    lambda names: {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "List"},
    lambda names: [{"names": names, "_type": "ClassLabel"}],
])  # fmt: skip
def test_lists_are_several_labels_with_the_names_of_the_metadata(tmp_path, feature):
    features = {"image": {"_type": "Image"}, "labels": feature(NAMES)}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    images = [{"bytes": encoded(n), "path": None} for n in range(4)]
    of = pyarrow.array([[2, 0], [1], [0, 2, 2], [0]], pyarrow.large_list(pyarrow.int64()))
    table = pyarrow.table({"image": images, "labels": of}).replace_schema_metadata(metadata)
    parquet.write_table(table, tmp_path / "train.parquet", row_group_size=3)
    parquet.write_table(table.slice(1, 2), tmp_path / "test.parquet")
    opened = open_dataset(f"hf:{tmp_path}")
    assert opened.division.kind == "labels" and opened.division.train_part == "train"
    both = f"{NAMES[0]}|{NAMES[2]}"
    images = opened.load("train")
    assert [images.class_names[n] for n in images.labels] == [both, NAMES[1], both, NAMES[0]]


def test_texts_in_lists_and_a_column_that_is_named(tmp_path):
    write(tmp_path / "a.parquet", [encoded(0), encoded(1)], [["b", "a"], ["1", "c"]], names=None,
          column="objects")  # fmt: skip
    images = open_dataset(f"hf:{tmp_path},label=objects").load("all")
    assert images.class_names == ("1|c", "a|b")


def test_elements_that_a_few_bytes_stand_for_are_not_unfolded(tmp_path):
    table = pyarrow.table(
        {
            "image": [{"bytes": encoded(0), "path": None}],
            "label": pyarrow.array([np.zeros(3_000_000, np.int8)]),
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"the column label of .* would need"):
        open_dataset(f"hf:{tmp_path}")


def test_two_classes_of_one_name_stay_two(tmp_path):
    write(tmp_path / "x/test.parquet", map(encoded, range(3)), [0, 1, 2], names=["a", "b", "a"])
    images = open_dataset(f"hf:{tmp_path / 'x'}").load("all")
    assert {*images.class_names} == {"a (0)", "a (2)", "b"}


def test_a_file_without_images_is_refused_before_it_is_listed(tmp_path):
    (tmp_path / "x").mkdir()
    parquet.write_table(pyarrow.table({"text": ["a"], "label": [0]}), tmp_path / "x/test.parquet")
    with pytest.raises(DataError, match="no column of images; it has: text, label") as error:
        open_dataset(f"hf:{tmp_path / 'x'}")
    assert "cast_column" in error.value.hint


def test_a_row_with_a_path_alone_says_that_it_holds_no_image(tmp_path):
    write(tmp_path / "x/test.parquet", [encoded(0), None], [0, 1])
    images = open_dataset(f"hf:{tmp_path / 'x'}").load("all")
    with pytest.raises(DataError, match="its row holds no bytes of an image"):
        extract_features(load_backbone("pixels"), images)


def test_rows_that_a_few_bytes_stand_for_are_not_unfolded(tmp_path):
    folder, rows = tmp_path / "x", 2_000_000
    folder.mkdir()
    label = pyarrow.DictionaryArray.from_arrays(np.zeros(rows, np.int8), pyarrow.array(["a"]))
    images = pyarrow.nulls(rows, pyarrow.binary())
    parquet.write_table(pyarrow.table({"image": images, "label": label}), folder / "a.parquet")
    with pytest.raises(DataError, match=r"the column label of .* would need"):
        open_dataset(f"hf:{folder}")
    one = pyarrow.array([bytes(2**20)])
    images = pyarrow.DictionaryArray.from_arrays(np.zeros(300, np.int8), one)
    table = pyarrow.table({"image": images.cast(pyarrow.binary()), "label": [0] * 300})
    parquet.write_table(table, folder / "a.parquet", compression="zstd")
    with pytest.raises(DataError, match=r"images of .* would need"):
        list(read_members(folder / "a.parquet", [folder / "a.parquet" / "000000"]))


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["train-00000-of-00003", "train-00002-of-00003"], "2 of 3 files; missing are 00001-of"),
        (["train-00001-of-00002"], "1 of 2 files; missing are 00000-of-00002"),
        (["train-00000-of-00001-ab", "train-00000-of-00001-cd"], "files of several exports: "),
        (["train-00000-of-00001", "train-00000-of-00002", "train-00001-of-00002"], "several ex"),
        (["train-00000-of-00001", "train"], "several exports"),
    ],
)
def test_splits_without_all_their_files_or_with_some_twice_are_refused(tmp_path, names, complaint):
    for name in names:
        write(tmp_path / f"{name}.parquet", [encoded(0), encoded(1)], [0, 1])
    with pytest.raises(DataError, match=complaint):
        open_dataset(f"hf:{tmp_path}")


def test_files_that_are_numbered_from_one_are_whole(tmp_path):
    for number in (1, 2):
        name = f"train-{number:05d}-of-00002.parquet"
        write(tmp_path / name, [encoded(number), encoded(9)], [0, 1])
    assert len(open_dataset(f"hf:{tmp_path}").load("all")) == 4


def test_names_of_the_hub_and_options_say_what_to_write():
    with pytest.raises(DataError) as error:
        open_dataset("hf:uoft-cs/cifar10")
    assert "huggingface-cli download --repo-type dataset uoft-cs/cifar10" in error.value.hint
    with pytest.raises(DataError) as error:
        open_dataset("hf:birds,lable=species")
    assert "hf:FOLDER,label=COLUMN" in error.value.hint
