"""The figure of label budgets shows every score of the records, and nothing else."""

from dataclasses import replace

import pytest
from PIL import Image

from lowlabel.results import write_leaderboards
from lowlabel.results.experiment import ProtocolInfo
from lowlabel.results.figures.curves import Curve, Point, panels
from lowlabel.results.figures.label_budget import _figure, render_label_budget
from lowlabel.results.record import Score


@pytest.fixture
def budget(fewshot):
    """A record of a label budget."""

    def make(model="dino", method="ncm", name="per class 5", labelled=50, mean=60.0, **changes):
        record = fewshot(model, method, dataset="cub").record
        options = {"budget": name, "draws": 5, "seed": 0, **changes.pop("options", {})}
        version = changes.pop("version", 1)
        title = changes.pop("title", record.experiment.dataset.title)
        experiment = replace(
            record.experiment,
            suite="label-budget",
            protocol=ProtocolInfo(name, version, options),
            dataset=replace(record.experiment.dataset, title=title, manifest_sha256=title),
        )
        counts = {"images": 300, "draws": 5, "labelled": labelled, "classes": 10}
        scores = {"top1": Score(mean, 1.5), "macro_f1": Score(mean - 1, 1.0)}
        return replace(record, experiment=experiment, scores=scores, counts=counts, **changes)

    return make


@pytest.fixture
def records(budget):
    return [
        budget(name="per class 20", labelled=200, mean=80.0),
        budget(),
        budget("mae", mean=40.0),
        budget(name="percent 1", labelled=13, mean=50.0),
        budget(name="list mine.txt", labelled=30, mean=55.0, options={"list": "ab"}),
        budget("mae", "ridge", mean=45.0),
    ]


def test_curves_hold_every_score_at_its_labels_per_class(records):
    ((_, methods),) = panels(records).items()
    assert methods == {
        "ncm": (
            Curve(
                "dino",
                (Point(5, 60, 1.5), Point(20, 80, 1.5)),
                (Point(1.3, 50, 1.5), Point(3, 55, 1.5)),
            ),
            Curve("mae", (Point(5, 40, 1.5),), ()),
        ),
        "ridge": (Curve("mae", (Point(5, 45, 1.5),), ()),),
    }


def test_other_records_and_incomplete_ones_have_no_point(records, budget, fewshot):
    other = [fewshot("dino", "ncm").record, budget("vit", complete=False)]
    assert panels([*records, *other]) == panels(records)
    assert render_label_budget(other) == {}


def test_draws_of_another_number_or_seed_are_other_curves(records, budget):
    more = budget(mean=61.0, options={"draws": 1000})
    ((_, methods),) = panels([*records, more]).items()
    assert [curve.model for curve in methods["ncm"]] == [
        "dino [draws=1000]",
        "dino [draws=5]",
        "mae",
    ]


def test_contaminated_models_are_marked(budget):
    ((_, methods),) = panels([budget(contamination=("seen",))]).items()
    assert methods["ncm"][0].model == "dino †"


def test_panels_have_bands_and_log_axes(records):
    figure = _figure(panels(records))
    shown = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title().split("\n")[-1] for ax in shown] == ["ncm", "ridge"]
    assert all(ax.get_xscale() == "log" for ax in shown)
    line = shown[0].lines[0]
    assert list(line.get_xdata()) == [5, 20] and list(line.get_ydata()) == [60, 80]
    band = shown[0].collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == 58.5 and band[:, 1].max() == 81.5
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"dino", "mae"}


def test_many_datasets_methods_and_models_fit(budget):
    records = [
        budget(f"model {model}", method, title=title, mean=50.0 + model)
        for title in ("CUB", "Cars")
        for method in ("ncm", "cosine", "ridge", "svm", "logreg", "knn")
        for model in range(12)
    ]
    found = panels(records)
    assert [len(methods) for methods in found.values()] == [6, 6]
    assert len([ax for ax in _figure(found).axes if ax.axison]) == 12


def test_files_are_written_beside_the_leaderboard_and_only_then(records, fewshot, tmp_path):
    names = [path.name for path in write_leaderboards(records, tmp_path / "out")]
    assert names[3:] == ["label-budget.png", "label-budget.svg"]
    with Image.open(tmp_path / "out/label-budget.png") as picture:
        assert picture.size[0] > 500
        assert len(picture.convert("RGB").getcolors(2**20)) > 20
    svg = (tmp_path / "out/label-budget.svg").read_bytes()
    assert svg == render_label_budget(records)["svg"]
    plain = write_leaderboards([fewshot("dino", "ncm").record], tmp_path / "plain")
    assert [path.suffix for path in plain] == [".md", ".csv", ".tex"]


def test_tables_have_one_metric_each_with_a_column_for_each_budget(records, tmp_path):
    write_leaderboards(records, tmp_path)
    text = (tmp_path / "leaderboard.md").read_text()
    top1, f1 = text.index("Top-1 (%)"), text.index("Macro F1 (%)")
    header = text[top1:].split("\n")[2]
    cells = [cell.strip() for cell in header.strip("|").split("|")]
    assert cells == ["Model", "Method", "list mine.txt", "5 per class", "20 per class", "1 %"]
    assert "80.00±1.50" in text[top1:f1] and "79.00±1.00" in text[f1:]


def test_networks_trained_from_labels_stand_in_every_panel(records, budget):
    trained = budget("scratch:resnet50", "from-labels", mean=30.0)
    ((_, methods),) = panels([*records, trained]).items()
    assert methods.keys() == {"ncm", "ridge"}
    for curves in methods.values():
        assert curves[-1] == Curve("scratch:resnet50", (Point(5, 30, 1.5),), ())
    ((_, alone),) = panels([trained]).items()
    assert list(alone) == ["from-labels"]
    assert len(alone["from-labels"]) == 1


def test_published_numbers_of_the_dataset_stand_beside_it(budget):
    record = budget()
    ships = replace(record.experiment.dataset, name="folder:ships", title="ships")
    record = replace(record, experiment=replace(record.experiment, dataset=ships))
    ((_, methods),) = panels([record]).items()
    names = [curve.model for curve in methods["ncm"]]
    assert names[0] == "dino"
    assert "ResNet-50 (DINO for ships)" in names
    (resnet,) = (c for c in methods["ncm"] if c.model == "ResNet-50 (DINO for ships)")
    assert resnet.per_class[-1] == Point(1000, 88.6, 0.0)


def test_what_was_scored_is_said_once(records, tmp_path):
    write_leaderboards(records, tmp_path)
    text = (tmp_path / "leaderboard.md").read_text()
    assert (
        "Scored: 300 images, 5 draws, 200 (20 per class), 50 (5 per class), 13 (1 %), "
        "30 (list mine.txt) labelled, 10 classes." in text
    )
