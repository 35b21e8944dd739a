import numpy as np
import pytest

from lowlabel.benchmarks import make_plan, run_plan
from lowlabel.benchmarks.protocols.label_free import LabelFree
from lowlabel.classification import label_free_measures
from lowlabel.errors import InputError
from lowlabel.features import BackboneOptions, embedded_file
from lowlabel.results import load_records, write_leaderboards


def scored(path, features, labels, **options):
    np.savez(path, features=features, labels=labels)
    data = embedded_file(path)
    protocol = LabelFree(**options)
    (trial,) = protocol.trials(data, "cpu")
    (scores,) = trial.run()
    return scores, protocol.left_out(data)


def test_a_record_has_the_measures_of_the_evaluated_part(data):
    (trial,) = LabelFree().trials(data, "cpu")
    (scores,) = trial.run()
    found = label_free_measures(data.evaluated.features, data.evaluated.labels, device="cpu")
    assert {name: score.mean for name, score in scores.scores.items()} == found.metrics
    assert scores.scores["rankme"].ci95 is None
    assert scores.scores["uniformity"].ci95 == found.ci95["uniformity"]
    assert set(scores.per_item) == {"feature_std", "uniformity", "class_alignment"}
    assert scores.counts == {"images": 80, "eigenvalues in α": 13}
    (experiment,) = trial.experiments
    assert experiment.suite == experiment.protocol.name == "label-free"
    assert set(experiment.feature_keys) == {"all"}


def test_undefined_measures_are_absent_counted_and_said(tmp_path):
    features = np.random.default_rng(0).normal(size=(4, 8))
    scores, said = scored(tmp_path / "few.npz", features, np.arange(4))
    assert {"alpha_req", "alpha_from_1", "class_alignment"}.isdisjoint(scores.scores)
    assert scores.counts == {"images": 4, "eigenvalues in α": 0, "undefined measures": 3}
    assert len(said) == 2
    assert "4 images of 8 dimensions have 3 eigenvalues" in said[0]
    assert "none of 4 classes has two images" in said[1]


def test_drawn_pairs_are_counted(tmp_path):
    features = np.random.default_rng(0).normal(size=(50, 120))
    scores, said = scored(tmp_path / "a.npz", features, np.arange(50) % 5, pair_images=20)
    assert scores.counts == {"images": 50, "in pairs": 20, "eigenvalues in α": 46}
    assert said == []


@pytest.mark.parametrize(
    ("option", "value"),
    [("alpha_ranks", (4,)), ("alpha_ranks", (9, 4)), ("pair_images", 1), ("pair_seed", -1)],
)
def test_options_are_checked_before_any_work(option, value):
    with pytest.raises(InputError, match=option):
        LabelFree.from_table({option: value})


def test_equal_embeddings_are_said(tmp_path):
    scores, said = scored(tmp_path / "equal.npz", np.ones((20, 8)), np.arange(20) % 4)
    assert scores.scores["feature_std"].mean == 0
    assert "nesum" not in scores.scores
    assert "all 20 embeddings are equal" in said[0]


def test_models_of_a_folder_are_correlated(request_of, image_folder, tmp_path):
    for suite, options in (("label-free", {}), ("retrieval", {"k": (1,)})):
        for resolution in (4, 8, 12):
            request = request_of(
                suite,
                f"folder:{image_folder}",
                options=options,
                backbone=BackboneOptions("head", resolution, device="cpu"),
                label=(f"pixels {resolution}",),
            )
            assert not run_plan(make_plan(request), request).failures
    records = load_records(tmp_path / "out" / "records")
    written = {path.name: path for path in write_leaderboards(records, tmp_path / "tables")}
    text = written["label-free.md"].read_text(encoding="utf-8")
    assert "Models: pixels 4, pixels 8, pixels 12." in text
    assert "Retrieval, leave-one-out: R@1" in text
