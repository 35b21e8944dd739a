import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from lowlabel.analysis.patch_matching import PatchedView, draw_matches, match_colours, spread_out
from lowlabel.cli.analyze import app
from lowlabel.errors import DataError, InputError, UnknownNameError


@pytest.fixture
def photo(tmp_path):
    ramp = np.arange(120 * 160 * 3, dtype=np.uint32).reshape(120, 160, 3)
    path = tmp_path / "photo.jpg"
    Image.fromarray((ramp * 7919 >> 8).astype(np.uint8)).save(path)
    return path


def analyze(*arguments):
    """The command's standard output, and its picture's path; errors as they are raised."""
    outer = typer.Typer()
    outer.add_typer(app, name="analyze")
    command = ["analyze", "patch-matching", *map(str, arguments)]
    result = CliRunner().invoke(outer, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def ids(stdout):
    return [[int(word) for word in line.split()[2:]] for line in stdout.splitlines()[:2]]


def view(grid=4, colour=(10, 20, 30)):
    return PatchedView(Image.new("RGB", (64, 64), colour), (0, 0, 50, 50), grid)


def test_matched_patches_have_equal_colours_and_others_none():
    pairs = [(0, 5), (3, 6), (12, 9), (15, 10)]
    first, second = match_colours(pairs, 4)
    assert set(first) == {0, 3, 12, 15}
    assert all(first[a] == second[b] for a, b in pairs)
    assert len(set(first.values())) == 4


def test_a_patch_with_two_partners_has_their_mean():
    first, second = match_colours([(0, 7), (3, 7)], 4)
    mean = np.mean([first[0], first[3]], axis=0)
    np.testing.assert_allclose(second[7], mean, atol=1)


def test_links_are_far_apart():
    pairs = [(number, number) for number in range(196)]
    chosen = spread_out(pairs, 14)
    assert len(set(chosen)) == 12
    assert {(0, 0), (195, 195)} <= set(chosen)
    assert spread_out(pairs[:3], 14) == [(0, 0), (2, 2), (1, 1)]


def test_picture_shows_where_pairs_are():
    """Tinted patches are darker than faded ones; without any pair everything fades."""
    source = Image.new("RGB", (80, 60), (10, 20, 30))
    empty = np.asarray(draw_matches(source, (view(), view()), []))
    some = np.asarray(draw_matches(source, (view(), view()), [(0, 15)]))
    assert empty.shape == some.shape
    changed = np.argwhere((empty != some).any(2))
    left, right = some.shape[1] - 24 - 448 - 56 - 448, some.shape[1] - 24
    assert changed[:, 1].min() >= left
    assert changed[:, 1].max() < right
    patch = some[40 + 8 : 40 + 30, left + 8 : left + 30]
    assert patch.mean() < empty[40 + 8 : 40 + 30, left + 8 : left + 30].mean()


def test_patches_beyond_the_grid():
    source = Image.new("RGB", (80, 60))
    with pytest.raises(InputError, match="patch 16 of a view that has 16"):
        draw_matches(source, (view(), view()), [(0, 16)])


@pytest.mark.parametrize("matching", ["containing", "reference"])
def test_command_draws_and_lists(photo, tmp_path, matching):
    target = tmp_path / "new" / "out.png"
    stdout = analyze(photo, "--output", target, "--matching", matching, "--seed", 3)
    first, second = ids(stdout)
    assert len(first) == len(second) > 20
    assert len(set(first)) == len(first)
    assert max(first + second) < 196
    with Image.open(target) as picture:
        assert picture.size[1] > 448
    assert analyze(photo, "--output", target, "--matching", matching, "--seed", 3) == stdout
    assert analyze(photo, "--output", target, "--matching", matching, "--seed", 4) != stdout


def test_patches_and_size_are_options(photo, home):
    first, second = ids(analyze(photo, "--patch", 8, "--size", 32))
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
    ],
)
def test_bad_options(photo, arguments, error, message):
    with pytest.raises(error, match=message):
        analyze(photo, *arguments)


def test_files_that_are_no_images(tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("no image")
    for path in (text, tmp_path / "missing.jpg"):
        with pytest.raises(DataError, match=path.name):
            analyze(path)
