"""`lowlabel analyze bad-data` and `leakage`, and runs that leave out or mark what they flag."""

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lowlabel.cli import main
from lowlabel.results import load_records

PIXELS = ("--model", "pixels", "--resolution", "8")


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code or 0


def score(folder, output, *more, suite="retrieval"):
    dataset = ("--dataset", f"folder:{folder}", "--output", output)
    few = ("--k", 1) if suite == "retrieval" else ()
    return call("run", "--suite", suite, *PIXELS, *dataset, *few, *more)


def only(output):
    (record,) = load_records(output)
    return record


@pytest.fixture
def copied(image_folder):
    """A copy within the evaluated part, one across parts, and a blank image."""
    shutil.copy(image_folder / "novel/novel0/0.png", image_folder / "novel/novel1/copy.png")
    shutil.copy(image_folder / "novel/novel0/1.png", image_folder / "base/base0/copy.png")
    Image.new("RGB", (24, 20), (128, 128, 128)).save(image_folder / "novel/novel2/blank.png")
    return image_folder


def test_bad_data_writes_flags_scores_and_pictures(copied, tmp_path, capsys):
    (copied / "novel/novel2/broken.png").write_bytes(b"no image")
    dataset = ("--dataset", f"folder:{copied}")
    assert call("analyze", "bad-data", *PIXELS, *dataset, "--output", tmp_path / "o") == 0
    flags = pd.read_csv(tmp_path / "o/flags.csv", keep_default_na=False)
    rows = {(row.path, row.reason): row for row in flags.itertuples()}
    within = rows["novel/novel1/copy.png", "exact-duplicate"]
    assert (within.other_path, within.other_class) == ("novel/novel0/0.png", "novel0")
    across = rows["base/base0/copy.png", "exact-duplicate-across"]
    assert (across.part, across.other_path, across.other_part) == (
        *("base", "novel/novel0/1.png", "novel"),
    )
    assert ("novel/novel2/blank.png", "low-information") in rows
    assert ("novel/novel2/broken.png", "unreadable") in rows
    scores = pd.read_csv(tmp_path / "o/scores.csv")
    assert len(scores) == 48 + 3
    combined = scores[["outlier", "duplicate", "low_information"]].max(axis=1)
    np.testing.assert_allclose(scores["combined"], combined)
    with Image.open(tmp_path / "o/exact-duplicate.jpg") as picture:
        assert picture.height < 250  # one row
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].split() == ["part", "novel", "base", "val"]


def test_a_run_without_flagged_images_says_what_was_left_out(copied, tmp_path, capsys):
    listed = tmp_path / "list.csv"
    listed.write_text(
        "path,part,reason\nnovel/novel1/copy.png,novel,exact-duplicate\n"
        "novel/novel2/blank.png,novel,low-information\nnovel/none.png,novel,low-information\n"
    )
    assert score(copied, tmp_path / "whole") == 0
    assert score(copied, tmp_path / "less", "--without", listed) == 0
    said = capsys.readouterr().err
    name = f"folder:{copied.name}"
    assert f"left out: 2 of the 20 novel images of {name}, flagged by list.csv" in said
    assert f"left out: 1 paths of list.csv, which no part of {name} holds" in said
    whole, less = only(tmp_path / "whole"), only(tmp_path / "less")
    without = less.experiment.dataset.without
    assert (without.counts, without.rows, without.unknown) == ({"novel": 2}, (12, 19), 1)
    assert less.experiment.dataset.images == 18
    assert less.identity() != whole.identity()
    assert less.experiment.feature_keys == whole.experiment.feature_keys
    assert "without" not in whole.to_json()["experiment"]["dataset"]
    # the scores are those of a folder that never had the images
    for path in ("novel/novel1/copy.png", "novel/novel2/blank.png"):
        (copied / path).unlink()
    assert score(copied, tmp_path / "gone") == 0
    gone = only(tmp_path / "gone")
    assert gone.scores == less.scores
    assert gone.experiment.dataset.manifest_sha256 == less.experiment.dataset.manifest_sha256


def test_reasons_choose_what_is_left_out_and_change_the_identity(copied, tmp_path):
    listed = tmp_path / "list.csv"
    listed.write_text(
        "path,reason\nnovel/novel1/copy.png,exact-duplicate\nnovel/novel2/blank.png,dark\n"
    )
    assert score(copied, tmp_path / "a", "--without", listed) == 0
    assert score(copied, tmp_path / "a", "--without", listed, "--reason", "dark") == 0
    records = load_records(tmp_path / "a")
    found = {r.experiment.dataset.without.reasons: r.experiment.dataset.images for r in records}
    assert found == {(): 18, ("dark",): 19}
    text = (tmp_path / "a/leaderboard.md").read_text()
    assert text.count("Left out: ") == 2
    assert "flagged by the file" in text


@pytest.mark.slow
def test_base_images_that_are_left_out_change_a_record_that_uses_them(copied, tmp_path):
    (tmp_path / "list.txt").write_text("base/base0/copy.png\n")
    few = ("--ways", 2, "--shots", 1, "--queries", 2, "--tasks", 20, "--method")
    run = ("run", "--suite", "fewshot", *PIXELS, "--dataset", f"folder:{copied}")
    for output, more in (("whole", ()), ("less", ("--without", tmp_path / "list.txt"))):
        arguments = (*run, *few, "dc-sslvit", "--output", tmp_path / output, *more)
        assert call(*arguments) == 0
    whole, less = only(tmp_path / "whole"), only(tmp_path / "less")
    assert less.experiment.dataset.without.counts == {"base": 1, "novel": 0}
    assert less.identity() != whole.identity()
    assert less.task_hash == whole.task_hash
    assert less.experiment.dataset.manifest_sha256 == whole.experiment.dataset.manifest_sha256
    assert call("compare", tmp_path / "whole", tmp_path / "less") == 0


def test_compare_pairs_the_queries_that_both_have(copied, tmp_path, capsys):
    (tmp_path / "list.txt").write_text("novel/novel1/copy.png\n")
    assert score(copied, tmp_path / "whole") == 0
    assert score(copied, tmp_path / "less", "--without", tmp_path / "list.txt") == 0
    capsys.readouterr()
    assert call("compare", tmp_path / "whole", tmp_path / "less") == 0
    assert "Not comparable" not in capsys.readouterr().out
    # halves of classes are drawn anew, so these images do not pair
    assert score(copied, tmp_path / "w", suite="knn") == 0
    assert score(copied, tmp_path / "l", "--without", tmp_path / "list.txt", suite="knn") == 0
    assert call("compare", tmp_path / "w", tmp_path / "l") == 2
    assert "what was scored then does not pair" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("", (), "flags no image"),
        ("path,reason\n", (), "flags no image"),
        ("elsewhere/1.png\n", (), "holds any of the 1 paths of list.csv"),
        ("novel/novel0/0.png\n", ("--reason", "dark"), "no column `reason`"),
        (
            "".join(f"novel/novel{c}/{n}.png\n" for c in range(3) for n in range(6)),
            (),
            "flags all 18 images of the novel part",
        ),
    ],
)
def test_flags_that_cannot_be_meant_are_refused(
    image_folder, tmp_path, capsys, text, more, message
):
    (tmp_path / "list.csv").write_text(text)
    assert score(image_folder, tmp_path / "o", "--without", tmp_path / "list.csv", *more) == 2
    assert message in capsys.readouterr().err


def test_options_that_need_others_are_refused(image_folder, tmp_path, capsys):
    assert score(image_folder, tmp_path / "o", "--reason", "dark") == 2
    assert "means nothing without --without" in capsys.readouterr().err
    arguments = ("run", "--features", "x.npz", "--without", "y.csv")
    assert call(*arguments) == 2
    assert "--features names no images" in capsys.readouterr().err
    dataset = ("--dataset", f"folder:{image_folder}", "--output", tmp_path / "o")
    for option, value, message in (
        ("--part", "test", "unknown part"),
        ("--show", "0", "show=0"),
        ("--distance", "3", "distance=3.0"),
        ("--neighbours", "0", "k=0"),
    ):
        assert call("analyze", "bad-data", *PIXELS, *dataset, option, value) == 2
        assert message in capsys.readouterr().err


def test_leakage_is_found_marked_and_kept(copied, tmp_path, capsys):
    shutil.copytree(copied / "base", tmp_path / "pretraining/base")
    Image.open(copied / "novel/novel0/2.png").save(tmp_path / "pretraining/again.bmp")
    arguments = (f"folder:{tmp_path / 'pretraining'}", f"folder:{copied}", *PIXELS)
    assert call("analyze", "leakage", *arguments, "--output", tmp_path / "o") == 0
    said = capsys.readouterr().out
    assert said.startswith("2 of 20 novel images are in the 20 images of folder:pretraining")
    assert "1 exactly, 1 nearly" in said
    flags = pd.read_csv(tmp_path / "o/leakage.csv")
    assert flags[["path", "reason"]].to_numpy().tolist() == [
        ["novel/novel0/1.png", "exact-duplicate-across"],
        ["novel/novel0/2.png", "near-duplicate-across"],
    ]
    assert flags["other_path"].tolist() == ["base/base0/copy.png", "again.bmp"]
    assert (tmp_path / "o/leakage.jpg").is_file()

    assert score(copied, tmp_path / "r") == 0
    clean = only(tmp_path / "r")
    for more in (("--leakage", tmp_path / "o/leakage.csv"), ()):  # the mark stays
        assert score(copied, tmp_path / "r", *more) == 0
        (mark,) = only(tmp_path / "r").contamination
        assert mark.startswith("leakage: 2 of 20 novel images are in folder:pretraining")
        assert only(tmp_path / "r").scores == clean.scores
        assert only(tmp_path / "r").created == clean.created
    assert "contaminated, never bold: leakage: 2 of" in (tmp_path / "r/leaderboard.md").read_text()
    assert score(copied, tmp_path / "l", "--without", tmp_path / "o/leakage.csv") == 0
    assert only(tmp_path / "l").experiment.dataset.images == 18


def test_a_list_of_shared_images_and_classes_marks_the_records(copied, tmp_path, capsys):
    listed = tmp_path / "shared.txt"
    listed.write_text("novel/novel0/0.png\n./novel/novel1/copy.png\nnovel2\nnowhere\n")
    assert score(copied, tmp_path / "o", "--overlap", listed) == 0
    record = only(tmp_path / "o")
    (mark,) = record.contamination
    assert mark.startswith("overlap: 9 of 20 novel images, of 3 of 3 classes, are in the pretrain")
    assert mark.endswith(", 1 lines of which are of no part)")
    assert (
        "† contaminated, never bold: overlap: 9 of 20"
        in (tmp_path / "o/leaderboard.md").read_text()
    )
    assert "--overlap shared.txt" in record.command
    # the mark stays, and stands beside that of a leak
    (tmp_path / "leak.csv").write_text("path,part\nnovel/novel0/0.png,novel\n")
    assert score(copied, tmp_path / "o", "--leakage", tmp_path / "leak.csv") == 0
    assert [m.partition(":")[0] for m in only(tmp_path / "o").contamination] == [
        "overlap",
        "leakage",
    ]
    listed.write_text("nowhere\n")
    assert score(copied, tmp_path / "o", "--overlap", listed) == 2
    assert "holds any of the 1 images and classes of shared.txt" in capsys.readouterr().err
