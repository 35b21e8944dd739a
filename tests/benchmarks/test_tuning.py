import pytest

from lowlabel.benchmarks import tuning
from lowlabel.benchmarks.tuning import choose
from lowlabel.datasets import open_dataset
from lowlabel.features import ExtractionOptions, embed_dataset, load_backbone
from lowlabel.fewshot import build_method, evaluate_fewshot

SAMPLING = {"ways": 2, "queries": 2, "tasks": 30, "seed": 0, "query_distribution": "balanced"}


@pytest.fixture
def images(image_folder):
    opened = open_dataset(f"folder:{image_folder}")
    backbone = load_backbone("pixels", resolution=4, device="cpu")
    return embed_dataset(backbone, opened, ("base", "val", "novel"), ExtractionOptions())


def test_the_best_candidate_on_the_validation_part_is_chosen(images):
    method = build_method("ridge")
    choice = choose(method, images, shots=1, device="cpu", **SAMPLING)
    means = {
        candidate.spec: evaluate_fewshot(
            images.validation.features,
            images.validation.labels,
            method=candidate,
            shots=1,
            interval="tasks",
            device="cpu",
            **SAMPLING,
        ).mean
        for candidate in method.candidates()
    }
    assert choice.tried == means
    assert means[choice.method.spec] == max(means.values())
    assert choice.record() == {"method": choice.method.spec, "tried": means}


def test_the_first_of_equals_is_chosen(images, monkeypatch):
    class Equal:
        mean = 50.0

    monkeypatch.setattr(tuning, "evaluate_fewshot", lambda *_, **__: Equal)
    method = build_method("ridge")
    assert (
        choose(method, images, shots=1, device="cpu", **SAMPLING).method == method.candidates()[0]
    )


def test_a_tuned_record_is_found_before_anything_is_tried(run, image_folder, monkeypatch):
    options = {
        "ways": 2,
        "shots": (1,),
        "queries": 2,
        "tasks": 20,
        "method": ("ridge",),
        "tune": True,
    }
    first = run("fewshot", f"folder:{image_folder}", options=options)
    assert first.records[0].chosen
    monkeypatch.setattr("lowlabel.benchmarks.protocols.fewshot.choose", pytest.fail)
    assert run("fewshot", f"folder:{image_folder}", options=options).records == first.records
