"""The committed leaderboards are what the committed records say."""

from pathlib import Path

import pytest

from lowlabel.results import load_records, write_leaderboards

RESULTS = Path(__file__).parents[2] / "results"
ARCHIVE = RESULTS / "leaderboard.tar.xz"


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The tables of the committed records."""
    return write_leaderboards(load_records(ARCHIVE), tmp_path_factory.mktemp("tables"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["leaderboard.md", "leaderboard.csv", "leaderboard.tex", "label-free.md", "label-free.csv"],
)
def test_the_committed_tables_are_those_of_the_committed_records(tables, name):
    (made,) = (path for path in tables if path.name == name)
    committed = (RESULTS / name).read_text(encoding="utf-8")
    assert made.read_text(encoding="utf-8") == committed, (
        "make them again: lowlabel report results/leaderboard.tar.xz"
    )


def test_the_committed_records_are_complete_and_of_clean_commits():
    for record in load_records(ARCHIVE):
        assert record.complete
        assert record.per_item_sha256 and record.content_sha256
        assert record.environment.commit and "-dirty" not in record.environment.commit
