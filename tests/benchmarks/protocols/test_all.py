"""What holds for every protocol: its scores are recorded, found again and compared."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from lowlabel.benchmarks import Plan, Request, make_plan, run_plan
from lowlabel.benchmarks.protocols import PROTOCOLS
from lowlabel.cli import names
from lowlabel.features import BackboneOptions
from lowlabel.results import compare, load_records, load_scored
from lowlabel.results.metrics import find_metric

TASKS = {"ways": 2, "shots": (1,), "queries": 2, "tasks": 20, "interval": "tasks"}
REQUESTS = {  # protocol: suite, dataset, options
    "fewshot": ("fewshot", "folder", TASKS),
    "knn": ("knn", "folder", {}),
    "linear": ("classification", "learned", {}),
    "label-budget": ("label-budget", "learned", {"method": ("ncm", "knn", "ridge,norm=l2")}),
    "logistic-regression": ("classification", "learned", {}),
    "retrieval": ("retrieval", "folder", {"k": (1,)}),
    "landmarks": ("retrieval", "landmarks", {}),
    "copies": ("retrieval", "copies", {}),
    "label-free": ("label-free", "folder", {}),
}
SETTINGS = {
    "linear": ("linear.epochs=2", "linear.iterations=2", "linear.batch_size=16"),
    "label-budget": ("label-budget.budgets=(1, '50%', '100%')", "label-budget.draws=2"),
}


@pytest.fixture(params=PROTOCOLS)
def protocol(request) -> str:
    return request.param


@pytest.fixture
def learned(image_folder) -> str:
    """A folder whose train part has the classes of its test part."""
    (image_folder / "base").rename(image_folder / "train")
    shutil.copytree(image_folder / "train", image_folder / "test")
    for part in ("val", "novel"):
        shutil.rmtree(image_folder / part)
    return f"folder:{image_folder}"


@pytest.fixture
def asked(protocol, request, request_of, image_folder) -> Request:
    """A request whose plan has the protocol under test."""
    suite, dataset, options = REQUESTS[protocol]
    spec = f"folder:{image_folder}" if dataset == "folder" else request.getfixturevalue(dataset)
    return request_of(suite, spec, options=options, settings=SETTINGS.get(protocol, ()))


@pytest.fixture
def plan_of(protocol):
    """Makes the plan of a request with the jobs of the protocol under test alone."""

    def make(asked: Request) -> Plan:
        plan = make_plan(asked)
        jobs = tuple(job for job in plan.jobs if job.protocol.name == protocol)
        assert jobs
        return replace(plan, jobs=jobs)

    return make


def test_names_in_help_are_those_of_the_registry():
    assert names.protocols() == sorted(PROTOCOLS)
    assert REQUESTS.keys() == set(PROTOCOLS)


@pytest.mark.slow
def test_a_second_run_reads_the_records_of_the_first(asked, plan_of, monkeypatch):
    plan = plan_of(asked)
    first = run_plan(plan, asked)
    assert first.records and not first.failures
    monkeypatch.setattr("lowlabel.benchmarks.recording.save_record", pytest.fail)
    assert run_plan(plan, asked).records == first.records


@pytest.mark.slow
def test_every_metric_has_a_row(asked, plan_of):
    records = run_plan(plan_of(asked), asked).records
    assert records
    for record in records:
        for metric in record.scores:
            assert find_metric(metric).name, metric


@pytest.mark.slow
def test_records_have_the_hashes_of_their_features_and_say_whether_they_are_deterministic(
    asked, plan_of, protocol
):
    if protocol == "fewshot":
        asked = replace(asked, options={**asked.options, "method": ("ncm", "logreg,norm=l2")})
    run = run_plan(plan_of(asked), asked)
    assert run.records and not run.failures
    for record in run.records:
        assert record.features_sha256.keys() == record.experiment.feature_keys.keys()
        assert all(len(digest) == 64 for digest in record.features_sha256.values())
        settled = protocol not in {"linear", "logistic-regression", "label-free"}
        assert record.deterministic == (settled and record.experiment.method.name != "logreg")


@pytest.mark.slow
def test_two_models_are_compared(asked, plan_of, tmp_path):
    for label, resolution in (("coarse", 4), ("fine", 8)):
        changes = {"label": (label,), "backbone": BackboneOptions("head", resolution)}
        request = Request(**(vars(asked) | changes))
        assert not run_plan(plan_of(request), request).failures
    scored = load_scored(tmp_path / "out" / "records")
    sides = [
        [each for each in scored if each.record.experiment.model.name == label]
        for label in ("coarse", "fine")
    ]
    frame = compare(*sides)
    assert len(frame) > 0
    assert set(frame["verdict"]) <= {"A better", "B better", "no difference shown"}
    assert len(load_records(tmp_path / "out" / "records")) == len(scored)


@pytest.mark.slow
@pytest.mark.parametrize("power", [-100, 90])
def test_a_scale_of_all_embeddings_changes_no_score(
    asked, plan_of, protocol, monkeypatch, tmp_path, power
):
    if protocol == "linear":
        pytest.skip("SGD has a scale of its own: its rates are for embeddings of a length")
    if protocol == "logistic-regression":
        pytest.skip("the penalty has a scale of its own: C is for embeddings of a length")
    if protocol == "fewshot":  # without the methods that have a scale of their own
        asked = replace(asked, options={**asked.options, "method": ("ncm", "cosine", "tim")})
    expected = run_plan(plan_of(asked), asked)
    kind = PROTOCOLS[protocol]
    trials = kind.trials

    def of_scaled(self, data, device):
        tables = {
            part: replace(table, features=np.ldexp(table.features, power))
            for part, table in data.tables.items()
        }
        return trials(self, replace(data, tables=tables), device)

    monkeypatch.setattr(kind, "trials", of_scaled)
    again = replace(asked, output=tmp_path / "scaled")
    found = run_plan(plan_of(again), again)
    assert found.failures == expected.failures == []
    scores = [[record.scores for record in run.records] for run in (found, expected)]
    assert scores[0] == scores[1]


def test_the_dry_run_describes_it(asked, plan_of):
    texts = [job.protocol.describe() for job in plan_of(asked).jobs]
    assert all(texts)
    assert len(set(texts)) == len(texts) > 0
