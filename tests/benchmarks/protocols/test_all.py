"""What holds for every protocol: its scores are recorded, found again and compared."""

from dataclasses import replace

import numpy as np
import pytest

from lowlabel.benchmarks import Request, make_plan, run_plan
from lowlabel.benchmarks.protocols import PROTOCOLS
from lowlabel.cli import names
from lowlabel.features import BackboneOptions
from lowlabel.results import compare, load_records, load_scored
from lowlabel.results.metrics import find_metric

TASKS = {"ways": 2, "shots": (1,), "queries": 2, "tasks": 20}
REQUESTS = {  # protocol: suite, dataset, options
    "fewshot": ("fewshot", "folder", TASKS),
    "knn": ("knn", "folder", {}),
    "retrieval": ("retrieval", "folder", {"k": (1,)}),
    "landmarks": ("retrieval", "landmarks", {}),
    "copies": ("retrieval", "copies", {}),
}


@pytest.fixture(params=PROTOCOLS)
def protocol(request) -> str:
    return request.param


@pytest.fixture
def asked(protocol, request, request_of, image_folder) -> Request:
    """A request whose only protocol is the one under test."""
    suite, dataset, options = REQUESTS[protocol]
    spec = f"folder:{image_folder}" if dataset == "folder" else request.getfixturevalue(dataset)
    found = request_of(suite, spec, options=options)
    assert {job.protocol.name for job in make_plan(found).jobs} == {protocol}
    return found


def test_names_in_help_are_those_of_the_registry():
    assert names.protocols() == sorted(PROTOCOLS)
    assert REQUESTS.keys() == set(PROTOCOLS)


def test_a_second_run_reads_the_records_of_the_first(asked, monkeypatch):
    plan = make_plan(asked)
    first = run_plan(plan, asked)
    assert first.records and not first.failures
    monkeypatch.setattr("lowlabel.benchmarks.recording.save_record", pytest.fail)
    assert run_plan(plan, asked).records == first.records


def test_every_metric_has_a_row(asked):
    records = run_plan(make_plan(asked), asked).records
    assert records
    for record in records:
        for metric in record.scores:
            assert find_metric(metric).name, metric


def test_two_models_are_compared(asked, tmp_path, protocol):
    for label, resolution in (("coarse", 4), ("fine", 8)):
        changes = {"label": (label,), "backbone": BackboneOptions("head", resolution)}
        request = Request(**(vars(asked) | changes))
        assert not run_plan(make_plan(request), request).failures
    scored = load_scored(tmp_path / "out" / "records")
    sides = [
        [each for each in scored if each.record.experiment.model.name == label]
        for label in ("coarse", "fine")
    ]
    frame = compare(*sides)
    assert len(frame) > 0
    assert set(frame["verdict"]) <= {"A better", "B better", "no difference shown"}
    assert len(load_records(tmp_path / "out" / "records")) == len(scored)


@pytest.mark.parametrize("power", [-100, 90])
def test_a_scale_of_all_embeddings_changes_no_score(
    asked, protocol, request_of, monkeypatch, tmp_path, power
):
    if protocol == "fewshot":  # without the methods that have a scale of their own
        asked = replace(asked, options={**asked.options, "method": ("ncm", "cosine", "tim")})
    expected = run_plan(make_plan(asked), asked)
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
    found = run_plan(make_plan(again), again)
    assert found.failures == expected.failures == []
    scores = [[record.scores for record in run.records] for run in (found, expected)]
    assert scores[0] == scores[1]


def test_the_dry_run_describes_it(asked):
    (job,) = make_plan(asked).jobs
    assert job.protocol.describe()
