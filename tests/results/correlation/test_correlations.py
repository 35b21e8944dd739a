"""Scores beside the measures of the same model on the same images."""

import io
from dataclasses import replace

import pandas as pd
import pytest

from lowlabel.results import render_label_free, write_leaderboards
from lowlabel.results.correlation import correlations, render_correlations_csv
from lowlabel.results.experiment import MethodInfo, ProtocolInfo
from lowlabel.results.record import Score

MODELS = {"a": (10.0, 50.0), "b": (20.0, 60.0), "c": (30.0, 55.0), "d": (40.0, 70.0)}


@pytest.fixture
def measures(fewshot):
    """A record of label-free measures beside the few-shot records of a model."""

    def make(model, rankme, *, uniformity=-2.0, **changes):
        like = fewshot(model, **changes).record
        experiment = replace(
            like.experiment,
            suite="label-free",
            protocol=ProtocolInfo("label-free", 1),
            method=MethodInfo("measures"),
        )
        scores = {"rankme": Score(rankme), "uniformity": Score(uniformity, 0.1)}
        return replace(like, experiment=experiment, scores=scores, counts={"images": 12_000})

    return make


@pytest.fixture
def records(fewshot, measures):
    return [
        record
        for model, (rankme, accuracy) in MODELS.items()
        for record in (
            measures(model, rankme, uniformity=-rankme),
            fewshot(model, mean=accuracy).record,
        )
    ]


def only(records, measure="rankme"):
    (found,) = [each for each in correlations(records) if each.measure == measure]
    return found


def test_ranks_of_measure_and_score_are_compared(records):
    found = only(records)
    assert found.metric == "accuracy"
    assert len(found.records) == 4
    assert found.spearman.value == pytest.approx(0.8)
    assert found.kendall.value == pytest.approx(4 / 6)
    assert found.spearman.p == pytest.approx(8 / 24)


def test_a_measure_of_which_less_is_better_is_turned(records):
    assert only(records, "uniformity").spearman.value == pytest.approx(0.8)


def test_two_models_are_too_few(records):
    assert correlations(records[:4]) == []
    assert len(only(records[:6]).records) == 3
    assert render_label_free(records[:4]) == ""


def test_incomplete_and_undefined_scores_are_left_out(records):
    records[1] = replace(records[1], complete=False)
    assert len(only(records).records) == 3
    records[1] = replace(records[1], complete=True)
    records[0] = replace(records[0], scores={"uniformity": Score(-10.0)})
    assert len(only(records).records) == 3
    assert len(only(records, "uniformity").records) == 4
    assert "| 3–4 |" in " ".join(render_label_free(records).split())


def test_other_images_are_not_paired(records, fewshot):
    others = [
        fewshot(model, mean=mean, scheme="other").record for model, (_, mean) in MODELS.items()
    ]
    assert correlations([*records[::2], *others]) == []
    assert len({each.metric for each in correlations([*records, *others])}) == 1


def test_scores_of_other_options_have_their_own_line(records, fewshot):
    more = [fewshot(model, mean=99 - mean, tasks=600).record for model, (_, mean) in MODELS.items()]
    found = [each for each in correlations([*records, *more]) if each.measure == "rankme"]
    assert sorted(each.spearman.value for each in found) == pytest.approx([-0.8, 0.8])
    text = render_label_free([*records, *more])
    assert "[tasks=600]" in text and "[tasks=200]" in text


def test_measures_of_the_scored_embeddings_come_before_another_pooling(records, measures):
    def pooled(model, rankme, created):
        record = measures(model, rankme, pooling="mean", created=created)
        experiment = replace(record.experiment, feature_keys={"novel": model + "mean"})
        return replace(record, experiment=experiment)

    later = [pooled(m, -rankme, "2026-05-01T00:00:00+00:00") for m, (rankme, _) in MODELS.items()]
    assert only([*records, *later]).spearman.value == pytest.approx(0.8)
    without = [*records[1::2], *later]
    assert only(without).spearman.value == pytest.approx(-0.8)


def test_one_model_under_two_names_counts_once(records):
    model = replace(records[1].experiment.model, name="again")
    again = replace(records[1], experiment=replace(records[1].experiment, model=model))
    assert len(only([*records, again]).records) == 4


def test_what_only_one_record_says_of_a_model_keeps_it_in_the_table(records):
    """Records of earlier versions lack the fields that describe a model without identifying it."""
    described = {
        "identities": ("timm:vit_small_patch16_224.dino",),
        "epochs": 100.0,
        "tuning": {"base_model": "timm:vit"},
        "notes": ("resampled",),
    }
    for place, (field, value) in enumerate(described.items()):
        experiment = records[2 * place].experiment
        model = replace(experiment.model, **{field: value})
        records[2 * place] = replace(
            records[2 * place], experiment=replace(experiment, model=model)
        )
    assert len(only(records).records) == 4


def test_other_weights_and_preprocessing_are_other_models(records):
    for field, value in (("weights_sha256", "f" * 64), ("resolution", 32), ("dtype", "bfloat16")):
        experiment = records[0].experiment
        model = replace(experiment.model, **{field: value})
        other = replace(records[0], experiment=replace(experiment, model=model))
        assert len(only([other, *records[1:]]).records) == 3


def test_contaminated_models_are_marked(records):
    records[1] = replace(records[1], contamination=("saw the classes",))
    assert only(records).contaminated == 1
    text = render_label_free(records)
    assert "4 †" in text and "saw the classes" in text


def test_the_files_are_written_beside_the_leaderboard(records, tmp_path):
    names = [path.name for path in write_leaderboards(records, tmp_path)]
    assert names[3:] == ["label-free.md", "label-free.csv"]
    text = (tmp_path / "label-free.md").read_text(encoding="utf-8")
    assert "+0.80 (0.333)" in text
    assert "Models: a, b, c, d." in text
    frame = pd.read_csv(io.StringIO(render_correlations_csv(records)))
    assert list(frame["measure"]) == ["rankme", "uniformity"]
    assert frame["spearman"].tolist() == pytest.approx([0.8, 0.8])
    assert frame["models"][0] == "a; b; c; d"


def test_without_measures_the_files_are_those_of_before(fewshot, tmp_path):
    written = write_leaderboards([fewshot("a").record], tmp_path)
    assert [path.suffix for path in written] == [".md", ".csv", ".tex"]
