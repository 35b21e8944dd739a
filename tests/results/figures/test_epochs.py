"""Scores against the epoch: every epoch of a run once, and no model without an epoch."""

from dataclasses import replace

import pytest
from PIL import Image

from lowlabel.results.figures.epoch_scores import epoch_metrics, epoch_panels
from lowlabel.results.figures.epochs import epochs_table, panels_by_metric, render_epochs
from lowlabel.results.record import Record, Score


@pytest.fixture
def kept(fewshot):
    """The record of a model that was pretrained for some epochs."""

    def make(epoch, mean, run="demo10", method="ncm", name=None, **changes):
        record = fewshot(name or f"{run} epoch {epoch}", method, dataset="cub").record
        model = replace(record.experiment.model, epochs=epoch)
        scores = {"accuracy": Score(mean, 0.5), "top1": Score(mean - 10, None)}
        experiment = replace(record.experiment, model=model)
        return replace(record, experiment=experiment, scores=scores, **changes)

    return make


def test_a_run_is_a_curve_by_epoch(kept):
    records = [kept(10, 30.0), kept(0, 20.0), kept(2, 25.0), kept(0, 40.0, "b"), kept(4, 41.0, "b")]
    (curves,) = epoch_panels(records, "accuracy").values()
    assert [(curve.run, [tuple(s) for s in curve.scores]) for curve in curves] == [
        ("b", [(0, 40.0, 0.5), (4, 41.0, 0.5)]),
        ("demo10", [(0, 20.0, 0.5), (2, 25.0, 0.5), (10, 30.0, 0.5)]),
    ]
    (curves,) = epoch_panels(records, "top1").values()
    assert curves[1].scores[0] == (0, 10.0, 0.0)


def test_methods_are_curves_of_their_own(kept):
    records = [kept(e, 20.0 + e, method=m) for e in (0, 1) for m in ("ncm", "ridge")]
    (curves,) = epoch_panels(records, "accuracy").values()
    assert [curve.method for curve in curves] == ["ncm", "ridge"]


def test_checkpoints_of_other_code_are_a_run(kept):
    records = [kept(e, 20.0, name=f"checkpoint{e:04d}") for e in (0, 20)]
    (curves,) = epoch_panels(records, "accuracy").values()
    assert [curve.run for curve in curves] == ["checkpoints"]


def test_models_without_an_epoch_and_single_epochs_are_no_curve(kept):
    alone = [kept(3, 20.0, "alone"), kept(None, 50.0, name="dino_vits16")]
    assert not epoch_panels(alone, "accuracy")
    assert not epoch_panels([kept(0, 1.0), kept(1, 2.0, complete=False)], "accuracy")
    assert epoch_metrics([kept(None, 50.0, name="dino_vits16")]) == []


def test_the_latest_score_of_an_epoch_counts(kept):
    records = [kept(e, mean, created=created) for e, mean, created in (
        (0, 10.0, "2024-01-01T00:00:00+00:00"), (1, 20.0, "2024-01-01T00:00:00+00:00"),
    )]  # fmt: skip
    model = replace(records[1].experiment.model, weights_sha256="f" * 64)
    again = replace(records[1].experiment, model=model)
    later = replace(records[1], experiment=again, scores={"accuracy": Score(30.0, 0.5)},
                    created="2024-02-01T00:00:00+00:00")  # fmt: skip
    (curves,) = epoch_panels([later, *records], "accuracy").values()
    assert [score.mean for score in curves[0].scores] == [10.0, 30.0]


def test_the_epoch_is_not_in_the_identity(kept):
    record = kept(3, 20.0)
    model = replace(record.experiment.model, epochs=None)
    other = replace(record, experiment=replace(record.experiment, model=model))
    assert record.identity() == other.identity()
    assert "epochs" not in other.to_json()["experiment"]["model"]
    assert Record.from_json(record.to_json()).experiment.model.epochs == 3


def test_the_figure_and_the_table_hold_every_metric(kept, tmp_path):
    records = [kept(e, 20.0 + e) for e in range(3)]
    found = panels_by_metric(records, ["accuracy", "top1", "recall@1"])
    assert list(found) == ["accuracy", "top1"]
    table = epochs_table(found)
    assert table["mean"].tolist() == [20.0, 21.0, 22.0, 10.0, 11.0, 12.0]
    figures = render_epochs(found)
    assert figures == render_epochs(found)
    (tmp_path / "epochs.png").write_bytes(figures["png"])
    assert Image.open(tmp_path / "epochs.png").width > 600
    assert b"Epochs of pretraining" in figures["svg"] or b"<svg" in figures["svg"]
