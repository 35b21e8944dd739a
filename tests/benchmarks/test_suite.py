import dataclasses

import pytest

from lowlabel.benchmarks import load_suite, suite_names
from lowlabel.cli import names
from lowlabel.datasets import find_dataset
from lowlabel.errors import InputError, UnknownNameError
from lowlabel.fewshot import METHODS


@pytest.mark.parametrize("name", suite_names())
def test_every_suite_names_what_exists(name):
    suite = load_suite(name)
    assert suite.title
    for protocol in suite.protocols:
        for spec in protocol.dataset:
            assert protocol.division_of(spec), f"{spec} does not fit {protocol.name}"
            find_dataset(spec)


def test_names_in_help_are_those_of_the_suites():
    assert names.suites() == suite_names()


def test_an_included_suite_adds_its_protocols_and_methods():
    assert [p.name for p in load_suite("all").protocols] == [
        "fewshot", "knn", "retrieval", "landmarks", "copies",
    ]  # fmt: skip
    methods = load_suite("fewshot-all").protocol("fewshot").method
    assert len(set(methods)) == len(methods)
    assert {method.name for method in methods} == set(METHODS)


def test_a_boolean_of_a_suite_can_be_turned_off():
    suite = load_suite("retrieval").with_options({"nmi": True}, {})
    assert suite.protocol("retrieval").nmi
    assert not suite.with_options({"nmi": False}, {}).protocol("retrieval").nmi


def test_settings_go_to_one_protocol_and_options_to_all_that_have_them():
    suite = load_suite("retrieval").with_options(
        {"ties": "index", "ways": 3}, {"copies": {"top": 5, "ties": "optimistic"}}
    )
    assert suite.protocol("copies").top == 5
    assert [suite.protocol(name).ties for name in ("retrieval", "landmarks", "copies")] == [
        "index", "index", "optimistic",
    ]  # fmt: skip


def test_a_named_value_goes_to_the_protocols_that_have_it():
    """As `--interval tasks`, which retrieval has not."""
    fewshot, suite = load_suite("fewshot").protocol("fewshot"), load_suite("retrieval")
    assert fewshot.has_option("interval", "tasks")
    assert not fewshot.has_option("interval", "queries")
    assert not fewshot.has_option("ties", "index")
    assert fewshot.has_option("tasks", 3)
    with pytest.raises(UnknownNameError, match="pessimistic"):  # nobody has it
        suite.with_options({"ties": "pesimistic"}, {})
    both = dataclasses.replace(suite, protocols=(fewshot, *suite.protocols))
    changed = both.with_options({"interval": "tasks"}, {})
    assert changed.protocol("fewshot").interval == "tasks"
    assert changed.protocols[1:] == suite.protocols


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"knn": {"neighbours": 3}}, InputError, "suite fewshot has no protocol knn"),
        ({"kn": {"neighbours": 3}}, UnknownNameError, "Did you mean knn"),
        ({"fewshot": {"taks": 3}}, UnknownNameError, "Did you mean tasks"),
    ],
)
def test_settings_of_what_does_not_exist(settings, error, message):
    with pytest.raises(error, match=message):
        load_suite("fewshot").with_options({}, settings)
