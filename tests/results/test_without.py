"""Records of a dataset without some images: pairs, tables and identity."""

import dataclasses

import numpy as np
import pytest

from lowlabel.results import Record, Score, Without, compare, leaderboard, make_baseline
from lowlabel.results.store import ScoredRecord

COUNT = 60


def without(gone, **changes):
    whole = Without("f" * 64, (), {"novel": len(gone)}, tuple(gone), "0" * 64)
    return dataclasses.replace(whole, **changes)


@pytest.fixture
def scored(fewshot):
    """Makes retrieval records of a part of 60 images without the images at some rows."""

    def make(gone=(), metric="recall@1", seed=0, name="pixels", left_out=None, **changes):
        values = np.random.default_rng(seed).integers(0, 2, COUNT) * 100.0
        values = np.delete(values, list(gone))
        like = fewshot(name).record
        dataset = dataclasses.replace(
            like.experiment.dataset,
            manifest_sha256=f"{len(gone):064d}",
            images=len(values),
            without=left_out or (without(gone) if gone else None),
        )
        experiment = dataclasses.replace(like.experiment, suite="retrieval", dataset=dataset)
        scores = {metric: Score(float(values.mean()))}
        fields = {"task_hash": None} | changes
        record = dataclasses.replace(like, experiment=experiment, scores=scores, **fields)
        return ScoredRecord(record, {metric: values})

    return make


def test_the_images_that_both_have_are_paired(scored):
    whole, less = scored(), scored((3, 10, 59), seed=1)
    (row,) = compare([whole], [less]).to_dict("records")
    ours = np.delete(whole.per_item["recall@1"], [3, 10, 59])
    theirs = less.per_item["recall@1"]
    assert row["n"] == 57
    assert row["difference"] == pytest.approx(float((ours - theirs).mean()))
    assert row["mean_a"] == pytest.approx(ours.mean())


def test_two_records_without_different_images_pair_on_the_rest(scored):
    one, other = scored((0, 5)), scored((5, 7, 9), seed=1)
    (row,) = compare([one], [other]).to_dict("records")
    kept = np.setdiff1d(np.arange(COUNT), [0, 5, 7, 9])
    ours = np.random.default_rng(0).integers(0, 2, COUNT)[kept] * 100.0
    theirs = np.random.default_rng(1).integers(0, 2, COUNT)[kept] * 100.0
    assert row["n"] == 56
    assert row["difference"] == pytest.approx(float((ours - theirs).mean()))


def test_an_image_that_one_could_not_score_is_no_pair(scored):
    whole, less = scored(), scored((3,))
    less.per_item["recall@1"][0] = np.nan
    (row,) = compare([whole], [less]).to_dict("records")
    assert row["n"] == 58


@pytest.mark.parametrize("changes", [{"metric": "balanced_accuracy"}, {"metric": "macro_f1"}])
def test_scores_that_are_no_mean_over_images_do_not_pair(scored, changes):
    sides = scored(**changes), scored((3,), **changes)
    (row,) = compare([sides[0]], [sides[1]], [changes["metric"]]).to_dict("records")
    assert "what was scored then does not pair" in row["reason"]
    same = compare([sides[1]], [scored((3,), seed=1, **changes)], [changes["metric"]])
    assert same["n"].tolist() == [59]


def test_scores_of_other_items_than_the_images_do_not_pair(scored):
    less = scored((3,))
    half = ScoredRecord(less.record, {"recall@1": less.per_item["recall@1"][:30]})
    (row,) = compare([scored()], [half]).to_dict("records")
    assert "does not pair" in row["reason"]


def test_a_partner_without_the_same_images_comes_first(scored):
    whole, less = scored(), scored((3, 4))
    rows = compare([whole, less], [scored(seed=1), scored((3, 4), seed=1)])
    assert rows["n"].tolist() == [60, 58]


def test_another_dataset_is_no_partner(scored):
    other = scored((3,), left_out=without((3,), manifest_sha256="1" * 64))
    (row,) = compare([scored()], [other]).to_dict("records")
    assert row["reason"].startswith("manifest differs")


def test_what_was_left_out_is_in_the_identity_and_survives_json(scored):
    whole = scored().record
    records = [
        scored((3,), left_out=each).record
        for each in (
            without((3,)),
            without((4,)),
            without((3,), file_sha256="e" * 64),
            without((3,), reasons=("dark",)),
        )
    ]
    assert len({record.identity() for record in (whole, *records)}) == 5
    for record in (whole, *records):
        sealed = record.sealed("")
        assert Record.from_json(sealed.to_json()) == record
    assert "without" not in whole.to_json()["experiment"]["dataset"]


def test_tables_keep_them_apart_and_say_what_was_left_out(scored):
    # images of another part alone: the evaluated images are those of the whole dataset
    base = scored(left_out=without((), counts={"base": 2, "novel": 0}, reasons=("dark",)))
    sections = leaderboard([scored().record, base.record])
    assert len(sections) == 2
    (noted,) = [section for section in sections if "without=ffffffff dark" in section.title]
    assert "Left out: 2 of base, 0 of novel, flagged as dark by the file ffffffff" in noted.notes[0]


def test_a_baseline_of_the_whole_dataset_is_not_comparable(scored):
    (whole,) = make_baseline([scored().record], 1.0).entries
    (less,) = make_baseline([scored((3,)).record], 1.0).entries
    assert "without" not in whole.facts
    assert less.facts["without"]["counts"] == {"novel": 1}
