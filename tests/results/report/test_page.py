"""What the page holds, without a browser."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lowlabel.errors import InputError
from lowlabel.results import Record, ScoredRecord
from lowlabel.results.report import find_pictures, render_report, write_report


def payload(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_every_score_leads_to_its_record(records: list[Record]):
    data = payload(render_report(records))
    parts = data["records"]["parts"]
    seen = set()
    for section in data["sections"]:
        for table in section["tables"]:
            for column, scores in table["scores"].items():
                for row, place in enumerate(scores["records"]):
                    if place is None:
                        continue
                    record = data["records"]["list"][place]
                    mean = record["scores"][scores["metric"]]["mean"]
                    assert table["cells"][row][int(column)].startswith(f"{mean:.2f}")
                    assert parts["model"][record["model"]]["name"] == section["rows"][row]["model"]
                    seen.add(place)
    assert len(seen) == len(records)


def test_a_record_is_whole(records: list[Record]):
    data = payload(render_report(records))
    kinds = ("model", "dataset", "protocol", "method")
    for record, shown in zip(records, data["records"]["list"], strict=False):
        whole = dict(shown)
        shared = {kind: data["records"]["parts"][kind][whole.pop(kind)] for kind in kinds}
        whole["environment"] = data["records"]["parts"]["environment"][whole["environment"]]
        whole["experiment"] = {"suite": whole.pop("suite"), **shared}
        whole["experiment"]["feature_keys"] = whole.pop("feature_keys")
        assert Record.from_json(whole) == record


def test_the_page_loads_nothing(records: list[Record]):
    page = render_report(records)
    assert "default-src 'none'" in page
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", page)


def test_pictures_are_inside(records: list[Record], tmp_path: Path):
    (tmp_path / "galleries").mkdir()
    (tmp_path / "galleries" / "worst.png").write_bytes(b"\x89PNG")
    (tmp_path / "label-budget.svg").write_text("<svg/>")
    (tmp_path / "label-budget.png").write_bytes(b"\x89PNG too")
    (tmp_path / "notes.txt").write_text("no picture")
    pictures = find_pictures(tmp_path)
    assert [(each.group, each.path.name) for each in pictures] == [
        ("galleries", "worst.png"),
        ("", "label-budget.png"),
    ]
    shown = payload(render_report(records, pictures))["pictures"]
    assert shown[0] == {
        "name": "worst",
        "group": "galleries",
        "uri": "data:image/png;base64,iVBORw==",
    }
    file = write_report(records, tmp_path / "report.html")
    assert payload(file.read_text())["pictures"] == shown


def test_figures_need_two_points(fewshot: Callable[..., ScoredRecord]):
    one = payload(render_report([fewshot("pixels").record]))
    assert one["figures"] == []
    both = payload(render_report([fewshot("pixels", shots=shots).record for shots in (1, 5)]))
    (figure,) = both["figures"]
    points = figure["choices"]["ncm"]["pixels"]
    assert [x for x, _, _ in points] == [1, 5]
    assert points[0][1:] == pytest.approx([60.0, points[0][2]])


def test_ranks_appear_from_eight_datasets_on(fewshot: Callable[..., ScoredRecord]):
    def made(datasets: int) -> list[Record]:
        return [
            fewshot(model, dataset=f"set{i}", title=f"Set {i}", mean=mean).record
            for i in range(datasets)
            for model, mean in (("a", 70.0), ("b", 60.0), ("c", 50.0))
        ]

    def ranks(datasets: int) -> list[dict]:
        figures = payload(render_report(made(datasets)))["figures"]
        return [figure for figure in figures if figure["kind"] == "ranks"]

    assert not ranks(7)
    (figure,) = ranks(8)
    assert figure["ranks"] == {"a": 1.0, "b": 2.0, "c": 3.0}


def test_no_records_are_an_error():
    with pytest.raises(InputError, match="no records"):
        render_report([])
