"""`lowlabel analyze base-classes` and `patch-matching`."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from lowlabel.cli import app
from lowlabel.errors import DataError, InputError, UnknownNameError


def shards(folder):
    """The images in a tar file for each part, as `wds:` reads them."""
    for part in folder.iterdir():
        with tarfile.open(folder.with_name(f"{part.name}-0.tar"), "w") as shard:
            for image in sorted(part.glob("*/*.png")):
                name = f"{image.parent.name}-{image.stem}"
                label = image.parent.name.encode()
                for suffix, data in ((".png", image.read_bytes()), (".cls", label)):
                    member = tarfile.TarInfo(name + suffix)
                    member.size = len(data)
                    shard.addfile(member, io.BytesIO(data))
    return f"wds:{folder.parent}/*-0.tar"


@pytest.mark.parametrize("spec", ["folder:{}".format, shards], ids=["folder", "shards"])
def test_base_classes_writes_a_table_and_a_picture(image_folder, tmp_path, spec):
    dataset = spec(image_folder)
    analyze("base-classes", "--model", "pixels", "--dataset", dataset, "--output", tmp_path / "o")
    (table,) = (tmp_path / "o").glob("*.csv")
    lines = table.read_text().splitlines()
    assert lines[0] == 'model,novel class,base class,"images, %"'
    assert sum(float(line.rsplit(",", 1)[1]) for line in lines[1:]) == pytest.approx(600, abs=0.1)
    (picture,) = (tmp_path / "o").glob("*.png")
    assert Image.open(picture).width > 500


@pytest.fixture
def photo(tmp_path):
    ramp = np.arange(120 * 160 * 3, dtype=np.uint32).reshape(120, 160, 3)
    path = tmp_path / "photo.jpg"
    Image.fromarray((ramp * 7919 >> 8).astype(np.uint8)).save(path)
    return path


def analyze(*arguments):
    """The standard output of `lowlabel analyze`; errors are raised."""
    result = CliRunner().invoke(app, ["analyze", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def ids(stdout):
    """The patches of the first and the second view."""
    return [[int(word) for word in line.split()[2:]] for line in stdout.splitlines()[:2]]


@pytest.mark.slow
@pytest.mark.parametrize("matching", ["containing", "reference"])
def test_patch_matching_draws_and_lists_pairs(photo, tmp_path, matching):
    target = tmp_path / "new" / "out.png"
    command = ("patch-matching", photo, "--output", target, "--matching", matching, "--seed")
    stdout = analyze(*command, 3)
    first, second = ids(stdout)
    assert len(first) == len(second) > 20
    assert len(set(first)) == len(first)
    assert max(first + second) < 196
    with Image.open(target) as picture:
        assert picture.size[1] > 448
    assert analyze(*command, 3) == stdout
    assert analyze(*command, 4) != stdout


def test_the_sides_of_patches_and_views_are_options(photo, home):
    first, second = ids(analyze("patch-matching", photo, "--patch", 8, "--size", 32))
    assert max(first + second) < 16
    assert (home / "results" / "photo-patches.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--patch", "15"], InputError, "224 pixels cannot be divided into patches of 15"),
        (["--patch", "0"], InputError, "patches of 0"),
        (["--size", "0"], InputError, "global_size must be at least 1"),
        (["--seed", "-1"], InputError, "seed"),
        (["--matching", "contained"], UnknownNameError, "containing"),
        (["--draw", "line"], UnknownNameError, "lines"),
        (["--first", "2"], InputError, "first must be 0 or 1, not 2"),
        (["--local", "--local-size", "40"], InputError, "40 pixels cannot be divided"),
    ],
)
def test_bad_options_of_patch_matching_are_refused(photo, arguments, error, message):
    with pytest.raises(error, match=message):
        analyze("patch-matching", photo, *arguments)


def test_files_that_are_no_images_are_refused(tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("no image")
    for path in (text, tmp_path / "missing.jpg"):
        with pytest.raises(DataError, match=path.name):
            analyze("patch-matching", path)


def test_patch_matching_turns_an_image_by_exif_where_it_is_asked_to(photo, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(photo).save(tmp_path / "tagged.png", exif=exif)
    Image.open(photo).transpose(Image.Transpose.ROTATE_270).save(tmp_path / "upright.png")
    Image.open(photo).save(tmp_path / "stored.png")
    turned = analyze("patch-matching", tmp_path / "tagged.png", "--orientation", "exif")
    assert turned == analyze("patch-matching", tmp_path / "upright.png")
    stored = analyze("patch-matching", tmp_path / "tagged.png")
    assert stored == analyze("patch-matching", tmp_path / "stored.png") != turned


def test_patch_matching_names_the_mode_of_an_image_that_it_refuses(tmp_path):
    Image.fromarray(np.full((8, 8), 300, np.float32)).save(tmp_path / "scan.tif")
    with pytest.raises(DataError, match=r"scan\.tif is an image of mode F .*outside 0 to 255"):
        analyze("patch-matching", tmp_path / "scan.tif")


def test_a_local_view_is_matched_with_a_global_one(photo, tmp_path):
    target = tmp_path / "local.png"
    command = ("patch-matching", photo, "--output", target, "--local", "--local-size", 96)
    found = 0
    for seed in range(4):
        first, second = ids(analyze(*command, "--seed", seed))
        assert len(first) == len(second)
        assert all(number < 14**2 for number in first)
        assert all(number < 6**2 for number in second)
        found += len(first)
    assert found > 0
    lists = ids(analyze(*command, "--draw", "lines", "--numbers", "--first", 1, "--seed", seed))
    assert lists == [[number + 1 for number in each] for each in (first, second)]
