"""`wds:PATTERN`: tar shards as webdataset writes them, read in place."""

import io
import json
import shutil
import subprocess
import tarfile

import numpy as np
import pytest
from PIL import Image

from lowlabel.datasets import open_dataset
from lowlabel.datasets.io.pixels import open_rgb
from lowlabel.datasets.sources.shards import expand_braces
from lowlabel.errors import DataError
from lowlabel.features import ExtractionOptions, extract_features, load_backbone

NAMES = ["ant", "bee", "cat"]


def encoded(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 8, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write(path, files, tar_format=tarfile.PAX_FORMAT):
    """Writes files, by their names, in their order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=tar_format) as written:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            written.addfile(member, io.BytesIO(data))
    return path


def sample(key, seed, label, suffix="cls"):
    return [(f"{key}.png", encoded(seed)), (f"{key}.{suffix}", label.encode())]


@pytest.fixture
def shards(tmp_path):
    """Two shards of train and one of test."""
    for part, count in (("train", 2), ("test", 1)):
        for shard in range(count):
            files = [
                file
                for row in range(6)
                for file in sample(
                    f"{row:06d}", 10 * shard + row + (part == "test"), NAMES[row % 3]
                )
            ]
            write(tmp_path / "birds" / f"{part}-{shard:06d}.tar", files)
    return tmp_path / "birds"


def whole(spec):
    return open_dataset(f"wds:{spec}").load("all")


def labels_of(images):
    return [images.class_names[label] for label in images.labels]


@pytest.mark.parametrize(
    "pattern", ["", "/*.tar", "/{train,test}-*.tar", "/{test-000000,train-00000{0..1}}.tar"]
)
def test_shards_are_the_parts_that_they_are_called(shards, pattern):
    opened = open_dataset(f"wds:{shards}{pattern}")
    assert opened.name.startswith("wds:birds")
    assert opened.division.parts == ("train", "test")
    assert opened.division.shared_classes
    train = opened.load("train")
    assert labels_of(train) == NAMES * 4
    assert train.paths[7] == "train-000001.tar/000001.png"
    assert len(opened.load("test")) == 6


def test_one_split_alone_is_evaluated(shards):
    assert len(whole(shards / "train-{000000..000001}.tar")) == 12
    assert len(whole(shards / "train-000001.tar")) == 6


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
@pytest.mark.parametrize("pattern", [
    "a{0..2}b", "{08..11}", "{a,b}{c,d}", "x{a,{1..3}y,}z", "{{a,b}1,c{d,e}}", "none", "{7..7}",
])  # fmt: skip
def test_braces_are_those_of_a_shell(pattern):
    shell = subprocess.run(
        ["bash", "-c", f"echo {pattern}"], capture_output=True, text=True, check=True
    )
    assert expand_braces(pattern) == shell.stdout.split()


@pytest.mark.parametrize("names", [
    ("train/0.tar", "test/0.tar"),
    ("imagenet1k-train-0000.tar", "imagenet1k-validation-00.tar"),
    ("train-000000-of-000001.tar", "val-000000-of-000001.tar"),
])  # fmt: skip
def test_other_layouts_of_splits_are_parts_too(tmp_path, names):
    for name in names:
        write(tmp_path / name, [*sample("a", 0, "x"), *sample("b", 1, "y")])
    first, last = open_dataset(f"wds:{tmp_path}").division.parts
    assert (first, last) in (("train", "test"), ("train", "val"))


def test_shards_without_names_of_parts_are_one(tmp_path):
    write(tmp_path / "birds-0.tar", sample("a", 0, "x"))
    write(tmp_path / "more.tar", sample("a", 1, "y"))
    assert labels_of(whole(tmp_path)) == ["x", "y"]


def test_features_and_contents_are_those_of_the_same_images_as_files(shards, tmp_path):
    images = open_dataset(f"wds:{shards}").load("train")
    for row, path in enumerate(images.paths):
        shard, name = path.split("/")
        with tarfile.open(shards / shard) as opened:
            data = opened.extractfile(name).read()
        file = tmp_path / "files" / labels_of(images)[row] / f"{row:02d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    files = open_dataset(f"folder:{tmp_path / 'files'}").load("all")
    order = [int(path.split("/")[1][:2]) for path in files.paths]
    backbone = load_backbone("pixels", resolution=8)
    ours, theirs = (extract_features(backbone, each).features for each in (images, files))
    np.testing.assert_array_equal(ours[order], theirs)
    ours, theirs = (
        [each.manifest.contents[32 * n : 32 * n + 32] for n in range(12)]
        for each in (images, files)
    )
    assert [ours[row] for row in order] == theirs


@pytest.mark.parametrize(
    "tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
)
def test_every_format_of_tar_is_read(tmp_path, tar_format):
    key = "a" * 90 + "/" + "b" * 90
    path = write(tmp_path / "x.tar", sample(f"./{key}", 3, "ö"), tar_format)
    images = whole(path)
    assert images.paths == (f"x.tar/{key}.png",)
    assert images.class_names == ("ö",)
    assert extract_features(load_backbone("pixels", resolution=8), images).features.any()


def test_a_changed_shard_changes_the_manifest_and_is_read_anew(shards, clock):
    path = shards / "test-000000.tar"
    before = whole(path)
    backbone = load_backbone("pixels", resolution=8)
    features = extract_features(backbone, before).features
    assert whole(path).known_manifest == before.manifest
    with tarfile.open(path) as opened:
        files = [(each.name, opened.extractfile(each).read()) for each in opened.getmembers()]
    files[2] = (files[2][0], encoded(99))
    write(path, files)
    after = whole(path)
    assert after.manifest.sha256 != before.manifest.sha256
    changed = extract_features(backbone, after).features
    assert (changed != features).any(1).tolist() == [False, True, False, False, False, False]


@pytest.mark.parametrize("broken", [b"no image", b"", encoded(0)[:60]])
def test_damaged_images_are_bad_images(tmp_path, broken):
    files = [*sample("a", 0, "x"), ("b.png", broken), ("b.cls", b"y"), *sample("c", 1, "y")]
    images = whole(write(tmp_path / "s.tar", files))
    backbone = load_backbone("pixels")
    with pytest.raises(DataError, match=r"1 of 3 images under .* cannot be decoded") as error:
        extract_features(backbone, images)
    assert "s.tar/b.png" in error.value.message
    with pytest.raises((OSError, ValueError, SyntaxError)) as error:
        open_rgb(images.root / "s.tar/b.png")
    assert "object at 0x" not in str(error.value)
    table = extract_features(backbone, images, ExtractionOptions(skip_bad_images=True))
    assert table.bad_images == ("s.tar/b.png",)
    assert len(table.features) == 2


def test_labels_stand_in_cls_then_json_then_txt(tmp_path):
    key = [("a.png", encoded(0))]
    field = ("a.json", json.dumps({"label": "of json", "other": "else"}).encode())
    both = [("a.txt", b"of txt\n"), ("a.cls", b"of cls")]
    path = tmp_path / "s.tar"
    assert labels_of(whole(write(path, [*key, field, *both]))) == ["of cls"]
    assert labels_of(whole(write(path, [*key, field, both[0]]))) == ["of json"]
    assert labels_of(whole(write(path, [*key, both[0]]))) == ["of txt"]
    write(path, [*key, field, *both])
    assert labels_of(whole(f"{path},label=json:other")) == ["else"]
    assert labels_of(whole(f"{path},label=json")) == ["of json"]
    assert labels_of(whole(f"{path},label=txt")) == ["of txt"]
    other = ("a.json", b'{"caption": "a bird"}')
    assert labels_of(whole(write(path, [*key, other, both[0]]))) == ["of txt"]
    assert labels_of(whole(write(path, [*key, ("a.json", b"7")]))) == ["7"]


def test_a_list_in_json_is_several_labels(tmp_path):
    def shard(name, *labels):
        files = [
            file
            for row, label in enumerate(labels)
            for file in sample(str(row), row, json.dumps({"label": label, "n": row}), "json")
        ]
        return write(tmp_path / f"{name}.tar", files)

    shard("train", ["b", "a"], "c", ["a"], [3, "a", 3.0])
    shard("test", "c")
    opened = open_dataset(f"wds:{tmp_path}")
    assert opened.division.kind == "labels" and opened.division.train_part == "train"
    assert labels_of(opened.load("train")) == ["a|b", "c", "a", "3|a"]
    assert labels_of(opened.load("test")) == ["c"]
    assert labels_of(whole(f"{shard('train', ['b'], ['a'])}")) == ["b", "a"]
    for labels, complaint in (
        ((["a"], []), "1 of the 2 samples of .* have no label in json:label, the first is 1"),
        ((["a", None], ["a", ""]), "2 of the 2 samples of .* have no label"),
        ((["a", float("nan")], ["a", " "]), "2 of the 2 samples of .* have no label"),
        (("a", float("nan"), " "), "2 of the 3 samples of .* have no label"),
        ((["a", ["b"]],), "the field label of .* is no label"),
        (([0, 1, 0], [1, 1, 1]), "are 3 values of 0 and 1 for each image"),
        ((["a", "b|c"],), r"the label 'b\|c' of .* holds \|"),
        ((["a"], "b|c"), r"the label 'b\|c' of .* holds \|"),
    ):
        with pytest.raises(DataError, match=complaint):
            whole(shard("train", *labels))


def test_one_label_each_may_hold_a_bar(tmp_path):
    write(tmp_path / "s.tar", sample("a", 0, '{"label": "b|c"}', "json"))
    assert labels_of(whole(tmp_path)) == ["b|c"]


def test_an_image_of_a_plain_suffix_comes_before_others_and_the_rest_is_counted(tmp_path):
    files = [*sample("a", 0, "x"), ("a.seg.png", encoded(1)), ("a.md", b"?"), ("b.cls", b"y")]
    path = write(tmp_path / "s.tar", [*files, (".DS_Store", b"?"), ("._a.png", b"?")])
    opened = open_dataset(f"wds:{path}")
    assert opened.load("all").paths == ("s.tar/a.png",)
    assert opened.left_out("all") == {".png": 1, ".md": 1, ".cls": 1}
    assert whole(f"{path},image=seg.png").paths == ("s.tar/a.seg.png",)
    write(path, [("a.left.png", encoded(0)), ("a.right.png", encoded(0)), ("a.cls", b"x")])
    with pytest.raises(DataError, match=r"key a of .* several images: left\.png, right\.png"):
        whole(path)
    assert whole(f"{path},image=right.png").paths == ("s.tar/a.right.png",)


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path = write(tmp_path / "s.tar", [*sample("a", 0, "x"), *sample("a", 1, "y")])
    with pytest.raises(DataError, match=r"s\.tar holds a\.png twice"):
        whole(path)
    write(path, [("a.png", encoded(0)), ("./a.PNG", encoded(1)), ("a.cls", b"x")])
    with pytest.raises(DataError, match=r"has a\.png and a\.PNG, which are one file of one key"):
        whole(path)


def test_nothing_outside_a_shard_is_opened(tmp_path):
    (tmp_path / "secret.png").write_bytes(encoded(0))
    path = tmp_path / "shards" / "s.tar"
    for name in ("../secret.png", str(tmp_path / "secret.png"), "a/../../secret.png"):
        write(path, [(name, encoded(1)), ("a.cls", b"x")])
        with pytest.raises(DataError, match="leads out of it"):
            whole(path)
    with tarfile.open(path, "w") as written:
        for name, data in sample("a", 0, "x"):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            written.addfile(member, io.BytesIO(data))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE):
            link = tarfile.TarInfo(f"{kind.decode()}.png")
            link.type, link.linkname = kind, "../secret.png"
            written.addfile(link)
    opened = open_dataset(f"wds:{path}")
    assert opened.load("all").paths == ("s.tar/a.png",)
    assert opened.left_out("all") == {"link or device": 3}


def test_every_cut_of_a_shard_is_an_error(tmp_path):
    intact = write(tmp_path / "s.tar", [*sample("a", 0, "x"), *sample("b", 1, "y")]).read_bytes()
    end = len(intact.rstrip(b"\0"))
    members = 512 * -(-end // 512)
    path = tmp_path / "cut.tar"
    for length in sorted({0, 1, 511, 513, 700, end, *range(512, members + 1, 512)}):
        path.write_bytes(intact[:length])
        with pytest.raises(DataError, match=r"is cut off|is no tar file"):
            whole(path)
    path.write_bytes(intact[: members + 512])
    assert len(whole(path)) == 2


def test_a_negative_size_does_not_lead_back(tmp_path):
    path = write(tmp_path / "s.tar", [*sample("a", 0, "x"), *sample("b", 1, "y")])
    data = bytearray(path.read_bytes())
    start = data.index(b"b.png")
    data[start + 124 : start + 136] = (-1024).to_bytes(12, "big", signed=True)  # in base 256
    data[start + 148 : start + 156] = b" " * 8
    data[start + 148 : start + 156] = b"%06o\0 " % sum(data[start : start + 512])
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        whole(path)


def test_damaged_joined_and_compressed_shards_are_errors(tmp_path):
    path = write(tmp_path / "s.tar", [*sample("a", 0, "x"), *sample("b", 1, "y")])
    intact = path.read_bytes()
    header = intact.index(b"b.png")
    path.write_bytes(intact[: header + 150] + b"!" + intact[header + 151 :])
    with pytest.raises(DataError, match=f"damaged at byte {header:,}: no header is there"):
        whole(path)
    path.write_bytes(intact + intact)
    with pytest.raises(DataError, match="goes on behind its end mark"):
        whole(path)
    path.write_bytes(b"this is no tar file, but a text" * 100)
    with pytest.raises(DataError, match="is no tar file, or is damaged"):
        whole(path)
    with tarfile.open(path, "w:gz") as written:
        written.addfile(tarfile.TarInfo("a.png"))
    with pytest.raises(DataError, match="is compressed") as error:
        whole(path)
    assert f"gunzip -k {path}" in error.value.hint
    (tmp_path / "t").mkdir()
    path.rename(tmp_path / "t" / "s.tar.gz")
    with pytest.raises(DataError, match="is compressed"):
        whole(tmp_path / "t")


def test_what_is_wrong_with_samples_is_said_with_the_fix(tmp_path):
    path = tmp_path / "s.tar"
    write(path, [("a.png", encoded(0)), ("a.md", b"x")])
    with pytest.raises(DataError, match=r"have no label: a has the files png, md") as error:
        whole(path)
    assert "label=json:FIELD" in error.value.hint
    write(path, [("a.png", encoded(0)), ("a.json", b'{"b": 1}')])
    with pytest.raises(DataError, match="no field label in json"):
        whole(path)
    with pytest.raises(DataError, match=r"1 of the 1 samples of .* have no label in json:c"):
        whole(f"{path},label=json:c")
    write(path, [*sample("a", 0, "x"), *sample("b", 1, "-1"), ("c.png", encoded(2))])
    with pytest.raises(DataError, match=r"2 of the 3 samples .* no label in cls, the first is b"):
        whole(path)
    write(path, [("a.png", encoded(0)), ("a.json", b"{")])
    with pytest.raises(DataError, match=r"a\.json is no JSON"):
        whole(f"{path},label=json")
    write(path, [("a.png", encoded(0)), ("a.cls", b"\xff\xfe")])
    with pytest.raises(DataError, match=r"a\.cls is no text in UTF-8"):
        whole(path)
    write(path, [("a.png", encoded(0)), ("a.cls", b"x" * (2 << 20))])
    with pytest.raises(DataError, match=r"a\.cls is no label"):
        whole(path)
    write(path, [("a.cls", b"x")])
    with pytest.raises(DataError, match=r"the shards in .* hold no image, but 1 \.cls\n"):
        whole(path)
    write(tmp_path / "t.tar", sample("a", 0, "x"))
    write(path, sample("a", 0, "x", "txt"))
    with pytest.raises(DataError, match=r"labels of s\.tar stand in txt, those of t\.tar in cls"):
        whole(tmp_path)


def test_what_is_wrong_with_patterns_is_said_with_the_fix(tmp_path):
    with pytest.raises(DataError, match="names no shards"):
        open_dataset("wds:")
    with pytest.raises(DataError, match="holds no tar files"):
        whole(tmp_path)
    write(tmp_path / "s-0.tar", sample("a", 0, "x"))
    with pytest.raises(DataError, match=r"no shards .*s-1\.tar, .*s-2\.tar") as error:
        whole(tmp_path / "s-{0..2}.tar")
    assert "Quotes keep the shell" in error.value.hint
    for pattern, message in {
        "s-{0..2.tar": "are not closed",
        "s-{2..0}.tar": "runs backwards",
        "s-{0}.tar": "neither a range nor a choice",
        "s-{0..9999}{0..9999}.tar": "more than 100,000 shards",
        "s-{0,0}.tar": "more than once",
        "none*.tar": "there are no shards",
    }.items():
        with pytest.raises(DataError, match=message):
            whole(tmp_path / pattern)
    (tmp_path / "s.zip").touch()
    with pytest.raises(DataError, match=r"s\.zip is not called X\.tar"):
        whole(tmp_path / "s.zip")
