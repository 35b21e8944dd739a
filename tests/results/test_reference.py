import csv
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from lowlabel.cli.options import MULTI_SCALE
from lowlabel.datasets import DATASETS
from lowlabel.features import check_model
from lowlabel.features.framing import frame
from lowlabel.features.models.aliases import ALIASES
from lowlabel.features.models.architectures import timm_transform
from lowlabel.features.models.identity import RECIPE, SSL_VIT, alias_identity
from lowlabel.features.models.identity import TUNED as TUNED_FILE
from lowlabel.fields import encode
from lowlabel.results.experiment import Counts, Partial
from lowlabel.results.leaderboard import leaderboard
from lowlabel.results.record import Score, StoredInterval
from lowlabel.results.reference import (
    CONDITIONS,
    find_reference,
    load_references,
    published_rows,
)
from lowlabel.results.reference.numbers import DECLARED
from lowlabel.results.reference.published import difference, published_table

MINI, SHOT_1, SHOT_5 = "mini-imagenet", "5-way 1-shot", "5-way 5-shot"
OURS, DINO = "SSL-ViT-16 + DC", "ViT-S/16 (DINO)"
TABLE_1, TABLE_2 = "SSL-ViT table 1", "SSL-ViT table 2"

VALUES = [  # dataset, protocol or K, method, embedder, source, value, ci95
    (MINI, SHOT_1, OURS, "ViT-S/16", TABLE_1, 86.50, 0.17),
    (MINI, SHOT_5, OURS, "ViT-S/16", TABLE_1, 96.22, 0.06),
    ("cub", SHOT_1, OURS, "ViT-S/16", TABLE_1, 89.94, 0.15),
    ("cub", SHOT_5, OURS, "ViT-S/16", TABLE_1, 96.98, 0.05),
    (MINI, SHOT_1, "MAML", "Conv-4", TABLE_1, 48.70, 1.84),
    ("cub", SHOT_5, "ProtoNet", "Conv-4", TABLE_1, 86.64, 0.51),
    (MINI, SHOT_5, "Su et al.", "ResNet-18", TABLE_1, 76.6, 0.7),
    ("cub", SHOT_1, "DC", "WRN-28-10", TABLE_1, 79.56, 0.87),
    ("tiered-imagenet", SHOT_5, "DC", "WRN-28-10", "DC paper", 89.90, 0.41),
    (MINI, SHOT_1, "PT-MAP", "WRN-28-10", "PT-MAP", 82.92, 0.26),
    ("cub", 1, "frozen", DINO, TABLE_2, 71.20, None),
    ("cars", 1, "frozen", DINO, TABLE_2, 43.11, None),
    ("sop", 1, "frozen", DINO, TABLE_2, 61.89, None),
    ("cars", 1, "Multi-Similarity", DINO, TABLE_2, 85.06, None),
    ("sop", 1, "Proxy-NCA", "ViT-S/16", TABLE_2, 80.56, None),
    ("sop", 100, "frozen", DINO, "hyp_metric", 88.3, None),
    ("inshop", 20, "frozen", DINO, "hyp_metric", 77.5, None),
    ("inshop", 10, "frozen", DINO, "hyp_metric", 71.1, None),
    ("inshop", 30, "frozen", DINO, "hyp_metric", 81.1, None),
    ("cub", 4, "frozen", "DeiT-S/16, distilled", "hyp_metric", 88.7, None),
    ("cub", 1, "frozen", "Unicom ViT-L/14@336", "Unicom", 89.2, None),
]


def known_identities() -> set[str]:
    """The identities that are the suite's own names, and those of its aliases."""
    tuned = {
        f"{TUNED_FILE}{data}_ssl-vit-{loss}"
        for data in ("cub", "cars")
        for loss in ("margin", "proxynca", "ms")
    }
    return {each.name for each in SSL_VIT} | {*map(alias_identity, ALIASES)} | tuned


@pytest.mark.parametrize("line", VALUES, ids=lambda line: "-".join(map(str, line[:5])))
def test_published_values(line):
    dataset, what, method, embedder, source, value, ci95 = line
    protocol, metric = (
        ("dml-zeroshot", f"recall@{what}") if isinstance(what, int) else (what, "accuracy")
    )
    suite = "fewshot" if metric == "accuracy" else "retrieval"
    (found,) = (
        r
        for r in published_rows(suite, dataset, protocol)
        if (r.metric, r.method, r.embedder, r.source) == (metric, method, embedder, source)
    )
    assert (found.value, found.ci95) == (value, ci95)


@pytest.mark.parametrize(
    ("embedder", "source", "knn", "linear"),
    [
        (DINO, "DINO README", 74.5, 77.0),
        ("ResNet-50 (DINO)", "DINO README", 67.5, 75.3),
        ("ViT-S/14 (DINOv2)", "DINOv2 README", 79.0, 81.1),
        ("ViT-g/14, registers (DINOv2)", "DINOv2 README", 83.7, 87.1),
        ("ResNet-50 (SCFS; 800 epochs, batch 1024)", "SCFS README", 68.5, 75.7),
    ],
)
def test_published_values_of_imagenet(embedder, source, knn, linear):
    rows = published_rows("classification", "imagenet", "train → val")
    found = {
        r.method.partition(" ")[0]: r.value
        for r in rows
        if (r.metric, r.embedder, r.source) == ("top1", embedder, source)
    }
    assert found == {"k-NN": knn, "linear": linear}


def test_the_tables_are_whole():
    counts = {}
    for reference in load_references():
        key = (reference.suite, reference.source)
        counts[key] = counts.get(key, 0) + 1
    assert counts["fewshot", "SSL-ViT table 1"] == 8 * 4 + 2 + 1
    assert counts["retrieval", "SSL-ViT table 2"] == (2 + 9) * 3
    assert counts["retrieval", "hyp_metric"] == 3 * 4 * 4
    assert counts["retrieval", "DINO table 3"] == 5 * 4
    assert counts["retrieval", "Revisited Oxford and Paris"] == 2 * 3
    assert counts["retrieval", "DINO table 4"] == 5
    assert counts["classification", "DINO README"] == (5 + 1) * 2
    assert counts["classification", "DINOv2 README"] == 4 * 2 * 2
    assert counts["classification", "SCFS README"] == 4 * 2
    assert counts["fewshot", "Lafargue et al."] == 1


def test_a_file_is_a_table_whose_lines_say_of_how_many_items_they_are():
    for file in files("lowlabel.results.reference").iterdir():
        if file.name.endswith(".csv"):
            rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
            assert len({(row["source"], row["table"]) for row in rows}) == 1, file.name
    items = {(r.dataset, r.n) for r in load_references() if r.suite == "retrieval" and r.n}
    assert items >= {("cub", 5924), ("cars", 8131), ("sop", 60502), ("inshop", 14218)}
    assert items >= {("roxford5k", 70), ("rparis6k", 70), ("copydays", 229)}


def test_no_line_stands_twice_and_all_are_percentages():
    keys = [
        (r.suite, r.dataset, r.schemes, r.protocol, r.metric, r.method, r.embedder, r.source)
        for r in load_references()
    ]
    assert len(set(keys)) == len(keys)
    assert all(0 < r.value < 100 and r.source for r in load_references())


def test_a_line_names_a_model_only_with_its_preprocessing_and_method():
    ours = [r for r in load_references() if r.models]
    named = [r for r in ours if not r.models[0].startswith(DECLARED)]
    assert named and len(ours) - len(named) == 6  # DC's own features
    for reference in named:
        wanted = {"pooling", "resize", "crop", "interpolation"}
        if reference.suite == "fewshot":
            wanted |= {"queries"}
        if reference.protocol == "dino-revisited":
            wanted = {"pooling", "side", "keep_aspect", "interpolation", "scales", "distractors"}
        assert reference.conditions is not None
        assert reference.conditions.keys() == wanted
        assert reference.method_name


def test_every_line_says_what_its_authors_ran_or_that_it_is_unknown():
    for reference in load_references():
        line = (reference.dataset, reference.method, reference.embedder, reference.source)
        if reference.conditions is None:
            assert not reference.models, line
        else:
            assert reference.conditions, line
            assert reference.conditions.keys() <= CONDITIONS.keys(), line


def test_every_line_names_a_division_of_its_dataset_and_models_that_exist():
    for reference in load_references():
        if reference.dataset.startswith("folder:"):  # of the user's own
            assert not reference.schemes
            continue
        divisions = {division.name for division in DATASETS[reference.dataset].divisions}
        assert set(reference.schemes) <= divisions
    for model in {model for reference in load_references() for model in reference.models}:
        if model not in known_identities() and not model.startswith((RECIPE, DECLARED)):
            check_model(model)


@pytest.mark.parametrize(
    ("source", "dataset", "framing", "options"),
    [
        (TABLE_1, "cub", "crop", {}),
        (TABLE_2, "sop", "crop", {"interpolation": "bilinear", "resize": 256}),
        ("hyp_metric", "inshop", "crop", {"resize": 224}),
        ("DINO table 3", "roxford5k", "longest", {"resolution": 224}),
        ("DINO table 3", "rparis6k", "longest", {"resolution": 512, "scales": MULTI_SCALE}),
    ],
)
def test_the_documented_options_give_the_conditions_of_the_authors(
    source, dataset, framing, options
):
    rows = [r for r in load_references() if (r.source, r.dataset) == (source, dataset)]
    named = {model: r for r in rows for model in r.models if model.startswith("timm:")}
    assert named
    for model, reference in named.items():
        aliases = [a for a in ALIASES.values() if f"timm:{a.timm_name}" == model]
        fraction = aliases[0].crop_fraction if aliases else None
        transform = timm_transform(model.removeprefix("timm:"), None, fraction)
        arguments = {"scales": (1.0,), "resolution": None} | options
        found = encode(frame(transform, framing, **arguments))
        wanted = {key: value for key, value in reference.conditions.items() if key in found}
        assert wanted.keys() >= {"interpolation"}
        assert {key: found[key] for key in wanted} == {
            key: list(value) if isinstance(value, tuple) else value for key, value in wanted.items()
        }


def test_copies_are_set_against_no_published_number():
    rows = published_rows("retrieval", "copydays", "strong")
    sides = {r.embedder: r.conditions["side"] for r in rows if r.conditions}
    assert sides == {
        "ViT-B/16 supervised on ImageNet": 224,
        "ViT-B/16 (DINO)": 224,
        "ViT-B/8 (DINO)": 320,
    }
    assert not any(r.models for r in rows)  # the distractors are not published


def test_the_same_model_on_the_full_set_has_its_number(retrieval):
    record = retrieval().record
    assert find_reference(record, "recall@1").value == 71.20
    assert find_reference(record, "recall@2") is None
    same = retrieval(spec="timm:vit_small_patch16_224.dino").record
    assert find_reference(same, "recall@1").value == 71.20
    assert find_reference(record, "map@r") is None


TUNED = {  # as a card has it
    "base_model": "timm:vit_small_patch16_224.dino",
    "base_weights_sha256": "0" * 64,
    "tuned": "all",
    "loss": "margin,beta=1.2,learn_beta=True,margin=0.2",
    "miner": "DistanceWeightedMiner,cutoff=0.5,nonzero_loss_cutoff=1.4",
    "dataset": "cub:dml-zeroshot",
    "epoch": 12,
    "layers": 1,
    "dimension": 128,
}


def tuned_record(retrieval, **changes):
    record = retrieval(spec="file:vit_small_patch16_224.dino,head=cls-1x128-l2").record
    model = replace(record.experiment.model, pooling="head", tuning=TUNED | changes)
    return replace(record, experiment=replace(record.experiment, model=model))


def test_a_tuned_model_has_the_number_of_its_base_model_loss_and_dataset(retrieval):
    found = find_reference(tuned_record(retrieval), "recall@1")
    assert (found.value, found.method, found.embedder) == (74.47, "Margin", DINO)
    assert "Δ is biased against us" in found.note
    record = tuned_record(retrieval, **{name: TUNED[name] for name in ("epoch", "loss")})
    assert record.identity() == tuned_record(retrieval, epoch=3).identity()
    supervised = "timm:vit_small_patch16_224.augreg_in21k_ft_in1k"
    found = find_reference(tuned_record(retrieval, base_model=supervised), "recall@1")
    assert found.value == 81.11


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": "sop:dml-zeroshot"},
        {"dataset": "cub:closerlook"},
        {"loss": "margin,beta=0.6,learn_beta=True,margin=0.2"},
        {"loss": "TripletMarginLoss"},
        {"miner": "none"},
        {"tuned": "head"},
        {"tuned": "adapters"},
        {"dimension": 384},
        {"layers": 2},
        {"base_model": "timm:vit_small_patch16_224.augreg_in1k"},
    ],
    ids=str,
)
def test_a_model_tuned_otherwise_has_no_number(retrieval, changes):
    assert find_reference(tuned_record(retrieval, **changes), "recall@1") is None


def test_a_tuned_model_is_not_set_against_a_frozen_one(retrieval):
    record = tuned_record(retrieval)
    model = replace(record.experiment.model, spec="dino_vits16", pooling="cls")
    changed = replace(record, experiment=replace(record.experiment, model=model))
    assert find_reference(changed, "recall@1") is None


def test_the_published_losses_are_those_of_the_presets():
    from lowlabel.training.finetuning.losses import NAMED_LOSSES, full_spec

    found = {(r.tuning["loss"], r.tuning["miner"]) for r in load_references() if r.tuning}
    assert found == {full_spec(name) for name in NAMED_LOSSES if name != "proxy-anchor"}


def test_the_resizing_decides_whose_number_it_is(retrieval):
    theirs = {"resize": 224, "crop": 224, "interpolation": "bicubic"}
    record = retrieval(transform=theirs).record
    values = [find_reference(record, f"recall@{k}").value for k in (1, 2, 4, 8)]
    assert values == [70.8, 81.1, 88.8, 93.5]  # hyp_metric's
    mixed = retrieval(transform=theirs | {"resize": 256}).record  # the suite's own default
    assert find_reference(mixed, "recall@1") is None


def test_landmarks_need_their_resolution_and_scales(retrieval):
    def published(dataset, **changes):
        transform = {
            "side": 512,
            "keep_aspect": True,
            "interpolation": "lanczos",
            "scales": [1.0, 2**-0.5, 0.5],
        } | changes
        record = retrieval(dataset=dataset, transform=transform).record
        options = {"distractors": changes.get("distractors")}
        protocol = replace(record.experiment.protocol, name="dino-revisited", options=options)
        images = replace(record.experiment.dataset, scheme="dino-revisited")
        experiment = replace(record.experiment, protocol=protocol, dataset=images)
        found = find_reference(replace(record, experiment=experiment), "map_hard")
        return found.value if found else None

    assert published("rparis6k") == 34.4
    assert published("roxford5k", side=224, scales=[1.0]) == 13.7
    assert published("rparis6k", scales=[1.0]) is None
    assert published("rparis6k", side=224) is None
    assert published("rparis6k", distractors="revisitop1m:r1m") is None


def test_partial_data_or_another_protocol_or_model_has_none(retrieval, fewshot):
    partial = (Partial("test", Counts(2_474, 42), Counts(5_924, 100)),)
    for other in (
        retrieval(partial=partial),
        retrieval(protocol="classification-split"),
        retrieval("dino_vitb16"),
        retrieval(spec="file:vit_small_patch16_224"),
        retrieval(transform={"resize": 248, "crop": 224}),
        retrieval(dataset="cub-cropped"),
        fewshot("dino_vits16", dataset="cub", scheme="dml-zeroshot"),
    ):
        assert find_reference(other.record, "recall@1") is None


@pytest.fixture
def linked(publish):
    """SSL-ViT's mini-ImageNet number as if the suite could repeat it with "ncm,norm=l2n"."""
    (printed,) = (r for r in published_rows("fewshot", "mini-imagenet", SHOT_1) if r.method == OURS)
    reference = replace(
        printed,
        method_name="ncm",
        method_options={"norm": "l2n"},
        models=("ssl_vits16",),
        conditions={"pooling": "cls", "resize": 256, "crop": 224, "queries": 15},
    )
    publish(reference)
    return reference


def mini(fewshot, **changes):
    same = {
        "model": "ssl_vits16",
        "method": "ncm,norm=l2n",
        "method_options": {"norm": "l2n", "other": 1},
        "dataset": "mini-imagenet",
        "scheme": "ravi",
    }
    return fewshot(**same | changes).record


def test_distribution_calibration_on_cub_has_its_number(fewshot):
    options = {"k": 2, "alpha": 0.21, "samples": 750, "c": 1.0}
    same = {
        "method": "dc-sslvit",
        "method_options": options,
        "dataset": "cub",
        "scheme": "frn",
    }
    for scheme in ("frn", "frn-box"):  # raw or cropped is not said
        record = fewshot("dino_vits16", **same | {"scheme": scheme}).record
        assert find_reference(record, "accuracy").printed == "89.94±0.15"
    for change in (
        {"method": "dc"},
        {"method_options": options | {"alpha": 0.3}},
        {"scheme": "closerlook"},
        {"scheme": "feat"},
        {"spec": "file:vit_small_patch16_224"},
    ):
        other = fewshot("dino_vits16", **same | change).record
        assert find_reference(other, "accuracy") is None, change


def test_few_shot_needs_everything_to_agree(fewshot, linked):
    assert find_reference(mini(fewshot), "accuracy") is linked
    for change in (
        {"method": "cosine"},
        {"method_options": {"norm": "cl2n"}},
        {"method_options": {}},
        {"scheme": "other"},
        {"shots": 5},
        {"options": {"queries": 16}},
        {"pooling": "mean"},
        {"transform": {"resize": 248, "crop": 224}},
        {"bad_images": 3},
        {"partial": (Partial("base", Counts(19_200, 64), Counts(38_400, 64)),)},
        {"spec": "file:vit_small_patch16_224"},
    ):
        assert find_reference(mini(fewshot, **change), "accuracy") is None, change


@pytest.mark.parametrize(
    ("mean", "ci95", "beyond"),
    [
        (86.50 + 0.33, 0.28, True),  # √(0.28² + 0.17²) = 0.3276
        (86.50 + 0.32, 0.28, False),
        (86.50 - 0.33, 0.28, True),
        (86.50 + 0.18, None, True),
        (86.50 + 0.16, None, False),
    ],
)
def test_a_difference_is_held_against_both_intervals(fewshot, linked, mean, ci95, beyond):
    record = mini(fewshot, scores={"accuracy": Score(mean, ci95)})
    found = difference(record, "accuracy")
    assert found.value == pytest.approx(mean - 86.50)
    assert found.beyond_ci is beyond


def test_a_published_number_is_held_against_the_interval_over_tasks(fewshot, linked):
    kinds = {"tasks": StoredInterval(0.28, "over tasks"), "images": StoredInterval(5.0, "images")}
    changes = {"scores": {"accuracy": Score(86.83)}, "intervals": {"accuracy": kinds}}
    record = mini(fewshot, values=np.array([86.5, 87.16]), **changes).showing("images")
    assert record.scores["accuracy"] == Score(86.83, 5.0)
    assert difference(record, "accuracy").beyond_ci
    (section,) = leaderboard([record])
    scores, beside = (table.frame for table in section.tables[:2])
    assert scores.iloc[0, -1] == "86.83±5.00"
    assert beside["Ours"].tolist() == ["86.83±0.28"]
    note = "Beside the published numbers, ± is over tasks, as papers have it."
    assert note in section.notes
    (older,) = leaderboard([mini(fewshot)])
    assert note not in older.notes


def test_without_any_interval_nothing_is_marked(retrieval):
    record = retrieval(scores={"recall@1": Score(60.0)}).record
    found = difference(record, "recall@1")
    assert found.beyond_ci is None
    assert str(found) == "−11.20"


def test_an_incomplete_run_has_no_difference(retrieval):
    assert difference(retrieval(complete=False).record, "recall@1") is None


def test_published_label_budgets_have_a_column_each():
    budgets = ("per class 100", "per class 200", "per class 500", "per class 1000")
    rows = [
        each for name in budgets for each in published_rows("label-budget", "folder:ships", name)
    ]
    table = published_table(rows, "folder")
    headings = ["Top-1, 100 per class", "Top-1, 1000 per class"]
    assert [table[heading].iloc[0] for heading in headings] == ["91.80", "95.75"]
