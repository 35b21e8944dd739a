import numpy as np
import pytest

from lowlabel.benchmarks import embedding, make_plan, run_plan
from lowlabel.benchmarks.describe import describe_plan
from lowlabel.benchmarks.runner import Run
from lowlabel.errors import InputError


def test_what_one_method_cannot_do_leaves_the_others_their_scores(request_of, tmp_path):
    """The first of two linear probes diverges."""
    labels = np.repeat(np.arange(3), 8)
    rows = np.random.default_rng(0).normal(size=(24, 5)) + labels[:, None]
    arrays = {"features": rows, "labels": labels, "base_features": rows, "base_labels": labels}
    np.savez(tmp_path / "mine.npz", **arrays)
    short = ("linear.learning_rate=1e38", "linear.epochs=3", "linear.iterations=5")
    request = request_of("classification", features=tmp_path / "mine.npz", settings=short)
    outcome = run_plan(make_plan(request), request)
    (failure,) = outcome.failures
    assert "training diverged" in str(failure)
    methods = {record.experiment.method.spec.partition(",")[0] for record in outcome.records}
    assert methods == {"knn", "linear-grid-cached", "logreg"}


def test_classes_that_do_not_fit_are_named(request_of, draw_birds):
    """Three folders of train classes, with two images of validation each."""
    options = {"ways": 3, "shots": (1,), "queries": 3, "method": ("ncm",)}
    request = request_of("fewshot", draw_birds(8, 8), options=options)
    plan = make_plan(request)
    (failure,) = run_plan(plan, request).failures
    assert "class crow has 3, class finch has 3, class gull has 3" in str(failure)
    assert f"will fail: {request.dataset[0]}: {failure}" in describe_plan(plan, request)


def test_classes_that_are_too_small_are_told_before_images_are_embedded(
    request_of, draw_birds, monkeypatch
):
    """Unless some number of shots can be scored."""
    embedded = []
    real = embedding.embed_dataset
    monkeypatch.setattr(
        embedding, "embed_dataset", lambda *a, **k: embedded.append(1) or real(*a, **k)
    )
    options = {"ways": 3, "queries": 2, "method": ("ncm",), "tasks": 5, "interval": "tasks"}
    birds = draw_birds(8, 8)
    for shots, is_embedded in (((2, 5), False), ((1, 5), True)):
        request = request_of("fewshot", birds, options=options | {"shots": shots})
        plan = make_plan(request)
        outcome = run_plan(plan, request)
        assert len(outcome.failures) == 1
        assert "5 shots and 2 queries need 7 images" in str(outcome.failures[0])
        assert bool(embedded) is is_embedded is bool(outcome.records)
        assert ("will fail" in describe_plan(plan, request)) is not is_embedded


def test_failures_of_the_same_words_stand_once():
    run = Run()
    for message in ("too few images", "too few images", "too many"):
        run.fail(InputError(message))
    assert [str(failure) for failure in run.failures] == ["too few images", "too many"]


def test_what_takes_long_comes_last_and_what_is_done_is_shown_before(request_of, feature_file):
    options = {
        "method": ("dc-sslvit", "ncm"),
        "ways": 3,
        "queries": 3,
        "tasks": 5,
        "interval": "tasks",
    }
    request = request_of("fewshot", features=feature_file, options=options)
    plan, shown = make_plan(request), []
    outcome = run_plan(plan, request, show=lambda run: shown.append(list(run.records)))
    assert [r.experiment.method.spec for r in outcome.records] == [
        *("ncm", "ncm", "dc-sslvit", "dc-sslvit")
    ]
    assert shown == [outcome.records[:2]]
    text = describe_plan(plan, request)
    assert "5 tasks × 1 method, dc-sslvit: 0.1 s to 0.5 s on two cores" in text
    over_images = request_of(
        "fewshot", features=feature_file, options=options | {"interval": "images"}
    )
    text = describe_plan(make_plan(over_images), over_images)
    assert "dc-sslvit: 5.9 s to 24 s on two cores" in text  # 24 splits × 2 halves × 5 tasks more


def test_quick_methods_alone_are_shown_once(request_of, feature_file):
    options = {"method": ("ncm",), "ways": 3, "queries": 3, "tasks": 5, "interval": "tasks"}
    request = request_of("fewshot", features=feature_file, options=options)
    plan = make_plan(request)
    assert run_plan(plan, request, show=lambda run: pytest.fail("shown")).records


def test_records_that_lack_the_interval_are_named(request_of, feature_file):
    options = {"method": ("ncm",), "ways": 3, "queries": 3, "tasks": 5}
    notes = []
    for interval in ("tasks", "images", "classes"):
        request = request_of(
            "fewshot", features=feature_file, options=options | {"interval": interval}
        )
        notes.append(set(run_plan(make_plan(request), request).left_out))
    none, lack, after = notes
    assert none == after
    (note,) = lack - none
    assert note.startswith("± over images on mine.npz: records of earlier runs keep their own")
