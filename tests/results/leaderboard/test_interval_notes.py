"""What tables say of their intervals: the kind, where there is none, beside published numbers."""

import math

import pandas as pd
import pytest

from lowlabel.intervals import Interval
from lowlabel.results.leaderboard import leaderboard
from lowlabel.results.record import stored_intervals
from lowlabel.results.render import footer, render_csv, render_markdown
from lowlabel.results.scores import scores_frame

REASON = "over images: 12 images of each class are needed, but class 3 has 9"


@pytest.fixture
def new(fewshot):
    """A record with all kinds of intervals, which shows the one over images."""

    def make(model="dino", images=1.5, shown="images", **changes):
        definition = "over images" if math.isfinite(images) else REASON
        kinds = {
            "tasks": Interval("tasks", 0.2, "over tasks"),
            "images": Interval("images", images, definition),
        }
        intervals = stored_intervals({"accuracy": kinds})
        return fewshot(model, intervals=intervals, **changes).record.showing(shown)

    return make


def notes_of(*records):
    (section,) = leaderboard(records)
    return [note for note in section.notes if "±" in note]


def test_a_table_of_one_kind_needs_no_note(new, fewshot):
    assert notes_of(new(), new("pixels")) == []
    assert notes_of(fewshot().record, fewshot("b").record) == []


def test_older_records_beside_new_ones_are_named(new, fewshot):
    records = new(), fewshot("old").record, new("fast", shown="tasks")
    assert notes_of(*records) == ["± over tasks, not over images: fast with ncm, old with ncm."]
    many = [fewshot("old", f"m{number}").record for number in range(9)]
    assert notes_of(new(), *many) == ["± over tasks, not over images: 9 rows."]


def test_a_row_without_the_interval_says_why(new):
    records = new(), new("small", images=math.nan)
    assert notes_of(*records) == [f"No ± of small with ncm; {REASON}."]
    text = render_markdown(records)
    assert "±1.50" in text
    assert REASON not in "\n".join(footer(records))
    assert "±: 95 % confidence interval, over images." in footer(records)


def test_the_csv_has_every_kind(new, fewshot):
    frame = scores_frame([new(), fewshot("old").record]).set_index("model")
    assert frame.loc["dino", ["interval", "ci95", "ci95_tasks", "ci95_images"]].tolist() == [
        *("images", 1.5, 0.2, 1.5)
    ]
    assert frame.loc["old", "interval"] == ""
    assert pd.isna(frame.loc["old", "ci95_images"])
    older = render_csv([fewshot("old").record])
    assert "interval" not in older.splitlines()[0].replace("published_interval", "")
