"""Published rows find their model by identity, and no other."""

from dataclasses import replace

import pytest

from lowlabel.results.experiment import (
    DatasetInfo,
    Experiment,
    MethodInfo,
    ModelInfo,
    ProtocolInfo,
)
from lowlabel.results.record import Score
from lowlabel.results.reference import load_references, parse_traits
from lowlabel.results.reference.numbers import DECLARED, TUNED
from lowlabel.results.reference.published import difference

IN_TRANSFORM = {"resize", "crop", "interpolation", "side", "keep_aspect", "scales"}
EVERY = [reference for reference in load_references() if reference.models]
WITH_MODELS = [row for row in EVERY if not row.models[0].startswith(DECLARED)]
DIGEST = "ab" * 32


def name_of(reference):
    return "-".join((reference.source, reference.dataset, reference.protocol, reference.method))


def model_info(reference, identity):
    """A model that has an identity in the way that such an identity is recorded."""
    conditions = reference.conditions
    transform = {name: value for name, value in conditions.items() if name in IN_TRANSFORM}
    base = {"spec": "file:any", "weights_sha256": DIGEST, "identities": ()}
    kind, _, rest = identity.partition(":")
    if kind == "sha256":
        base["weights_sha256"] = rest
    elif kind == "timm":
        base["spec"] = identity
    else:
        base["identities"] = (identity,)
    tuning = {}
    if reference.tuning and kind + ":" == TUNED:  # as the options in the authors' file have it
        base["spec"], tuning = "file:any,head=x", {"base_model": "timm:other", "loss": "other"}
    elif reference.tuning:
        tuning = reference.tuning | {
            "base_model": base["spec"],
            "base_weights_sha256": base["weights_sha256"],
            "base_identities": base["identities"],
            "dataset": f"{reference.dataset}:{reference.schemes[0]}",
        }
        base = {"spec": "file:any,head=x", "weights_sha256": "cd" * 32, "identities": ()}
    pooling = conditions["pooling"]
    return ModelInfo(
        name="any",
        **base,
        pooling=pooling,
        resolution=224,
        dtype="float32",
        transform=transform,
        tuning=tuning,
    )


def made_up(retrieval, reference, identity):
    """A record under the conditions of a published row, by a model of an identity."""
    options = {n: v for n, v in reference.conditions.items() if n not in IN_TRANSFORM | {"pooling"}}
    experiment = Experiment(
        reference.suite,
        ProtocolInfo(reference.protocol, 1, options),
        model_info(reference, identity),
        DatasetInfo(
            reference.dataset, reference.dataset, "test", reference.schemes[0], DIGEST, 100, 10
        ),
        MethodInfo(reference.method_name, reference.method_options),
        {},
    )
    scores = {reference.metric: Score(reference.value + 1.0, 0.25)}
    return replace(retrieval().record, experiment=experiment, scores=scores)


@pytest.mark.parametrize("reference", WITH_MODELS, ids=name_of)
def test_each_identity_of_a_row_has_its_difference_and_others_have_none(retrieval, reference):
    for identity in reference.models:
        found = difference(made_up(retrieval, reference, identity), reference.metric)
        assert found is not None, identity
        assert found.reference is reference
        assert found.value == pytest.approx(1.0)
    for identity in ("timm:vit_base_patch32_224.other", "recipe:demo-vit", f"sha256:{'0' * 64}"):
        assert difference(made_up(retrieval, reference, identity), reference.metric) is None


@pytest.mark.parametrize("reference", [r for r in EVERY if r not in WITH_MODELS], ids=name_of)
def test_features_that_are_declared_have_the_number_of_their_row(retrieval, reference):
    (model,), (scheme,) = reference.models, reference.schemes

    def declared(text, queries=15):
        record = made_up(retrieval, WITH_MODELS[0], WITH_MODELS[0].models[0])
        experiment = replace(
            record.experiment,
            suite=reference.suite,
            protocol=ProtocolInfo(reference.protocol, 1, {"queries": queries}),
            dataset=replace(
                record.experiment.dataset, name="features", scheme="file", declared=text
            ),
            method=MethodInfo(reference.method_name, reference.method_options),
        )
        scores = {reference.metric: Score(reference.value + 1.0, 0.25)}
        return replace(record, experiment=experiment, scores=scores)

    own = f"{reference.dataset}:{scheme},model={model.removeprefix(DECLARED)}"
    assert difference(declared(own), reference.metric).reference is reference
    for other in ("", own + "-2", "cub:feat," + own.partition(",")[2]):
        assert difference(declared(other), reference.metric) is None
    assert difference(declared(own, queries=16), reference.metric) is None


def test_a_row_may_name_its_weights_by_their_hash(retrieval, publish):
    row = next(r for r in WITH_MODELS if r.source == "SSL-ViT table 1")
    hashed = replace(row, models=(f"sha256:{'12' * 32}",))
    publish(hashed)
    assert difference(made_up(retrieval, hashed, hashed.models[0]), hashed.metric)
    assert not difference(made_up(retrieval, hashed, f"sha256:{'21' * 32}"), hashed.metric)


def test_the_authors_tuned_weights_need_no_tuning_of_ours_and_have_one_dataset(retrieval):
    rows = [r for r in WITH_MODELS if any(m.startswith(TUNED) for m in r.models)]
    assert len(rows) == 3 * 2
    for row in rows:
        (own,) = (m for m in row.models if m.startswith(TUNED))
        for other in rows:
            found = difference(made_up(retrieval, other, own), other.metric)
            assert (found and found.reference) is (row if other.dataset == row.dataset else None)


def test_every_number_that_ssl_vit_measured_has_a_model():
    table_2 = [r for r in load_references() if r.source == "SSL-ViT table 2"]
    own = [r for r in load_references() if r.method == "SSL-ViT-16 + DC"]
    assert (len(own), len(table_2)) == (4, 33)
    assert all(r.models and r.method_name for r in own + table_2)
    assert {"ssl-vit-mini", "recipe:ssl-vit mini"} == {
        m for r in own if r.dataset == "mini-imagenet" for m in r.models
    }


def test_the_columns_of_ssl_vits_tables_filter_rows():
    rows = [r for r in load_references() if r.source.startswith("SSL-ViT")]

    def kept(*settings):
        traits = parse_traits(settings)
        return {r.method for r in rows if r.has(traits)}

    assert kept("meta_learned=no", "self_supervised=yes") == {"SSL-ViT-16 + DC"}
    assert kept("meta_learned=yes", "self_supervised=yes") == {
        "Gidaris et al.",
        "Su et al.",
        "Image900-SSL",
    }
    assert kept("pretraining=self-supervised", "training=frozen") == {"frozen"}
    assert len([r for r in rows if r.has({"pretraining": "supervised"})]) == 3 + 2 * 9
