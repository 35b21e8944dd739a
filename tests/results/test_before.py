"""Records of an earlier version, and the tables it made from them, stay as they were.

Each archive of `tests/data/before` is the output folder of a run. `tiny.zip` has two tuned records;
its folder `untuned` has the tables of all the others.
"""

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lowlabel.results import (
    Baseline,
    check,
    load_records,
    load_scored,
    save_record,
    write_leaderboards,
)
from lowlabel.results.metrics import MEANINGS
from lowlabel.results.render import _escape

ROOT = Path(__file__).parents[2]
BEFORE = ROOT / "tests" / "data" / "before"
TOP5 = {  # the last column of tables with one row
    "leaderboard.md": (r" +Top-5 \|\n(.*\|)[-:]+\|\n(.*\|) [^|]+\|\n", r"\n\1\n\2\n"),
    "leaderboard.tex": (
        r"r\}\n(\\toprule\nModel .*) & Top-5 (.*\n\\midrule\n.*) & \S+ \\\\\n",
        r"}\n\1 \2 \\\\\n",
    ),
}
BASELINE = ROOT / "benchmarks" / "baselines" / "ci.json"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("before")
    for archive in BEFORE.glob("*.zip"):
        with zipfile.ZipFile(archive) as file:
            file.extractall(folder / archive.stem)
    return folder


@pytest.fixture(params=["ci", "demo", "tiny"])
def run(request, unpacked):
    return unpacked / request.param


def json_files(run):
    return sorted((run / "records").glob("*.json"))


def tables(folder):
    files = (folder / f"leaderboard.{suffix}" for suffix in ("md", "csv", "tex"))
    return {file.name: file.read_bytes().decode() for file in files}


def tiny_tables(folder):
    """The tables of `tiny`, but for Top-5 of its three classes, which is no longer shown."""
    files = tables(folder)
    for name, column in TOP5.items():
        files[name], found = re.subn(*column, files[name])
        assert found == 2
    return files


def rendered(records, folder):
    write_leaderboards(records, folder)
    return tables(folder)


def is_tuned(record):
    return "tuned" in record.experiment.method.options


def test_every_record_is_read_and_keeps_its_identity(run):
    records = load_records(run / "records")
    files = json_files(run)
    assert len(records) == len(files) > 0
    for record, file in zip(records, files, strict=True):
        identity = json.loads(file.read_text(encoding="utf-8"))["identity"]
        assert record.identity() == identity
        assert file.stem.endswith(identity[:12])


def test_a_record_is_saved_as_the_same_bytes_with_its_hashes(run, tmp_path):
    for scored, file in zip(load_scored(run / "records"), json_files(run), strict=True):
        saved = save_record(scored.record, scored.per_item, tmp_path)
        assert saved.name == file.name
        data = json.loads(saved.read_text(encoding="utf-8"))
        assert data.pop("content_sha256")
        assert data.pop("per_item_sha256")
        text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        assert text == file.read_text(encoding="utf-8")
        with np.load(saved.with_suffix(".npz")) as new, np.load(file.with_suffix(".npz")) as old:
            assert new.files == old.files
            assert all(np.array_equal(new[name], old[name], equal_nan=True) for name in old.files)


@pytest.mark.parametrize("name", ["ci", "demo"])
def test_leaderboards_are_the_same(name, unpacked, tmp_path):
    now = rendered(load_records(unpacked / name / "records"), tmp_path)
    assert ordered(now) == ordered(tables(unpacked / name))


def test_leaderboards_without_tuned_records_are_the_same(unpacked, tmp_path):
    records = load_records(unpacked / "tiny" / "records")
    untuned = [record for record in records if not is_tuned(record)]
    assert len(untuned) == len(records) - 2
    assert ordered(rendered(untuned, tmp_path)) == ordered(
        tiny_tables(unpacked / "tiny" / "untuned")
    )


def test_tuned_records_differ_by_a_mark_and_a_note_alone(unpacked, tmp_path):
    before, now = (
        tiny_tables(unpacked / "tiny"),
        rendered(load_records(unpacked / "tiny" / "records"), tmp_path),
    )
    for name in ("leaderboard.md", "leaderboard.tex"):
        mark = {"leaderboard.md": "§", "leaderboard.tex": r"\S{}"}[name]
        assert now[name].count(f" {mark}") > 2
        unmarked = re.sub(rf"(?m)^- {mark} made before: .*\n", "", now[name])
        unmarked = re.sub(rf"{re.escape(mark)} made before: .*? \\\\ ", "", unmarked)
        unmarked = unmarked.replace(f" {mark}", "")
        assert ordered({name: squeezed(unmarked)}) == ordered({name: squeezed(before[name])})
    old, new = (pd.read_csv(io.StringIO(csv["leaderboard.csv"])) for csv in (before, now))
    assert new["made_before"].notna().sum() == 2
    pd.testing.assert_frame_equal(new.drop(columns=["made_before", "best"]), old)


def ordered(files):
    """The lines of tables in one order of sections, without what explains columns and without bold.

    Bold was the largest number alone.
    """
    others = "Queries that are given their class", "Dataset: ", "Bold: ", "Top-5 of five classes"
    explained = [*MEANINGS.values(), *others]
    starts = [start for each in explained for start in (each[:20], _escape(each)[:20])]
    return {
        name: without_best(text)
        if name.endswith(".csv")
        else sorted(
            squeezed(re.sub(r"\*\*|\\textbf\{(.*?)\}", r"\1", note))
            for line in text.splitlines()
            for note in re.split(r" \\\\ |footnotesize |^% ", line)
            if not note.removeprefix("- ").startswith(tuple(starts))
        )
        for name, text in files.items()
    }


def without_best(text):
    frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    return frame.drop(columns="best", errors="ignore").to_csv(index=False)


def squeezed(text):
    """Text without the padding of table cells, which follows the widest."""
    return re.sub(r" +|-{3,}", " ", text)


def test_the_baseline_of_that_time_holds(unpacked):
    baseline = Baseline.load(unpacked / "ci" / "baseline.json")
    report = check(load_records(unpacked / "ci" / "records"), baseline)
    assert report.exit_code == 0
    assert report.render().endswith("\n\n24 holds\n")


def test_records_by_size_are_not_compared_with_a_baseline_by_content(unpacked):
    report = check(load_records(unpacked / "ci" / "records"), Baseline.load(BASELINE))
    assert report.exit_code == 2
    assert "images were known by their size in bytes, now by their content" in report.render()
