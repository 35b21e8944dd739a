import pytest

from lowlabel.benchmarks import make_plan
from lowlabel.benchmarks.describe import describe_plan
from lowlabel.benchmarks.opening import joining_division
from lowlabel.datasets import find_dataset, prepared_folder
from lowlabel.errors import DataError, InputError, UnknownNameError, UserError
from lowlabel.features import BackboneOptions


def names(plan):
    return [(job.dataset, job.protocol.name, job.division.name) for job in plan.jobs]


def test_a_protocol_takes_the_first_division_that_suits_it(request_of, monkeypatch):
    monkeypatch.setattr("lowlabel.benchmarks.plan.is_present", lambda dataset: True)
    plan = make_plan(request_of("all", "cub", "inshop", "roxford5k", "cub:feat"))
    assert names(plan) == [
        ("cub", "fewshot", "closerlook"),
        ("inshop", "fewshot", "dml-zeroshot"),
        ("cub:feat", "fewshot", "feat"),
        ("cub", "knn", "closerlook"),
        ("inshop", "knn", "dml-zeroshot"),
        ("cub:feat", "knn", "feat"),
        ("cub", "retrieval", "dml-zeroshot"),
        ("inshop", "retrieval", "dml-zeroshot"),
        ("cub:feat", "retrieval", "feat"),
        ("roxford5k", "landmarks", "revisitop"),
        ("cub", "fewshot", "closerlook"),
        ("inshop", "fewshot", "dml-zeroshot"),
        ("cub:feat", "fewshot", "feat"),
    ]
    calibrations = {method.name for job in plan.jobs[-3:] for method in job.protocol.method}
    assert calibrations == {"dc", "dc-sslvit"}
    earlier = {method.name for job in plan.jobs[:3] for method in job.protocol.method}
    assert not calibrations & earlier


@pytest.mark.parametrize("dataset", ["demo", "cifar-fs"])
@pytest.mark.parametrize("suite", ["fewshot", "knn", "retrieval"])
def test_other_protocols_do_not_take_the_division_of_classification(
    request_of, monkeypatch, dataset, suite
):
    monkeypatch.setattr("lowlabel.benchmarks.plan.is_present", lambda dataset: True)
    divisions = {job.division.name for job in make_plan(request_of(suite, dataset)).jobs}
    assert divisions == {find_dataset(dataset)[0].divisions[0].name}


def test_images_that_join_a_gallery_are_not_taken_by_image():
    assert joining_division("demo").name == "demo"
    assert joining_division("cifar-fs").name == "bertinetto"
    assert joining_division("cub").name == "dml-zeroshot"


def test_the_classes_that_train_lacks_are_named(request_of, tmp_path):
    for path in ("train/a", "test/a", "test/b"):
        (tmp_path / "set" / path).mkdir(parents=True)
        (tmp_path / "set" / path / "0.png").touch()
    with pytest.raises(InputError, match=r"1 of the 2 classes of .*test have no images in .*: b"):
        make_plan(request_of("classification", f"folder:{tmp_path / 'set'}"))


def test_a_dataset_without_a_train_part_is_refused_with_the_parts_that_it_has(request_of, tmp_path):
    for name in "ab":
        (tmp_path / "set" / "test" / name).mkdir(parents=True)
        (tmp_path / "set" / "test" / name / "0.png").touch()
    for suite in ("classification", "label-budget"):
        with pytest.raises(InputError, match="it has no train part, only ") as caught:
            make_plan(request_of(suite, f"folder:{tmp_path / 'set'}"))
        assert "takes a train part" in caught.value.hint


@pytest.mark.parametrize(
    ("suite", "options", "message"),
    [
        ("fewshot", {"search": "nosuch"}, "--search is not an option of fewshot"),
        ("retrieval", {"method": ("nosuch",), "ways": 99}, "--method is not an option of"),
        ("knn", {"k": (3,)}, "--k is not an option of knn"),
        ("fewshot", {"worst": 3}, "--worst is not an option of fewshot"),
    ],
)
def test_an_option_that_no_chosen_protocol_has(request_of, suite, options, message):
    with pytest.raises(InputError, match=message) as error:
        make_plan(request_of(suite, "demo", options=options))
    assert "leave" in error.value.hint


def test_chosen_are_the_protocols_that_have_a_dataset(request_of, copies):
    with pytest.raises(InputError, match="--nmi is not an option of copies"):
        make_plan(request_of("retrieval", copies, options={"nmi": True}))
    with pytest.raises(InputError, match="nothing is scored by retrieval"):
        make_plan(request_of("retrieval", copies, settings=("retrieval.nmi=True",)))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("dino_vit16", "dino_vits16"),
        ("timm:vit_smal_patch16_224", "no architecture"),
        ("timm:resnet50.nosuch", "publishes no weights"),
        ("random:nosuch", "no architecture"),
        ("hub:facebookresearch", "names no entry point"),
        ("nowhere.pth:resnet18", "there is no weights file"),
        ("nosuch:resnet18", "unknown model"),
        ("random:resnet18,pretrained_on=nosuch", "unknown pretraining set"),
    ],
)
def test_every_model_is_resolved_before_any_work(request_of, home, model, message):
    with pytest.raises(UserError, match=message):
        make_plan(request_of("fewshot", "demo", model=("pixels", model)))
    assert not home.exists()


def test_every_name_is_resolved_before_any_work(request_of, home):
    for suite, dataset, options in (
        ("nosuch", "demo", {}),
        ("fewshot", "cup", {}),
        ("fewshot", "cub:nosuch", {}),
        ("fewshot", "demo", {"method": ("ncm", "nosuch")}),
        ("retrieval", "demo", {"post": ("nosuch",)}),
        ("retrieval", "demo", {"search": "nosuch"}),
        ("retrieval", "demo-copies", {"distractors": "nosuch"}),
    ):
        with pytest.raises(UnknownNameError):
            make_plan(request_of(suite, dataset, options=options))
    assert not home.exists()


def test_a_dataset_that_was_named_must_be_there(request_of):
    with pytest.raises(DataError, match="lowlabel prepare sop --archive FILE"):
        make_plan(request_of("retrieval", "sop", "demo"))


def test_datasets_of_a_suite_that_are_missing_are_skipped_and_named(request_of, copies):
    plan = make_plan(request_of("retrieval"))
    assert names(plan) == [("copydays", "copies", "strong")]
    assert len(plan.skipped) == 6
    assert any("CUB-200-2011 is not prepared" in note for note in plan.skipped)


def test_a_suite_leaves_out_boxes_that_the_archive_of_cub_lacks(request_of, home):
    folder = prepared_folder(find_dataset("cub")[0])
    folder.mkdir(parents=True)
    for name, line in (
        ("images", "1 a/0.jpg"), ("image_class_labels", "1 1"), ("classes", "1 a")
    ):  # fmt: skip
        (folder / f"{name}.txt").write_text(line)
    plan = make_plan(request_of("fewshot"))
    assert [job.dataset for job in plan.jobs[:2]] == ["cub", "cub:frn"]
    assert any("has no bounding_boxes.txt, which cub:frn-box takes" in n for n in plan.skipped)
    with pytest.raises(DataError, match=r"has no bounding_boxes\.txt"):
        make_plan(request_of("fewshot", "cub:frn-box"))


def test_labels_go_with_models(request_of):
    with pytest.raises(InputError, match="2 labels for 1 models"):
        make_plan(request_of("fewshot", "demo", label=("a", "b")))
    with pytest.raises(InputError, match="needs a model"):
        make_plan(request_of("fewshot", "demo", model=()))
    with pytest.raises(InputError, match="the model pixels is named 2 times"):
        make_plan(request_of("fewshot", "demo", model=("pixels", "demo_vit", "pixels")))


def test_a_feature_file_is_scored_by_the_protocols_of_classes(request_of, feature_file):
    request = request_of("all", features=feature_file)
    plan = make_plan(request)
    assert names(plan) == [
        ("mine.npz", name, "file") for name in ("fewshot", "knn", "retrieval", "fewshot")
    ]
    assert "80 images of 8 classes" in describe_plan(plan, request)


def test_an_option_that_another_protocol_of_its_kind_has_is_named(request_of, copies, image_folder):
    request = request_of(
        "retrieval", copies, f"folder:{image_folder}", options={"search": "flat", "k": (1,)}
    )
    notes = make_plan(request).skipped
    assert "--search on copydays: copies has no such option" in notes


def test_a_feature_file_that_cannot_be_tuned_on_is_an_error(request_of, feature_file):
    with pytest.raises(DataError, match="cannot be tuned"):
        make_plan(request_of("all", features=feature_file, options={"tune": True}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "foo"}, "pooling"),
        ({"dtype": "foo"}, "unknown dtype 'foo'"),
        ({"resolution": -5}, "at least 1 pixel"),
        ({"device": "foo"}, "cannot be used here"),
    ],
)
def test_how_models_are_loaded_is_checked_before_any_work(request_of, home, options, message):
    with pytest.raises(UserError, match=message):
        make_plan(request_of("fewshot", "demo", backbone=BackboneOptions(**options)))
    assert not home.exists()
