"""The names that `--help` reads from files are those of the registries."""

from importlib import import_module

import pytest

from lowlabel.benchmarks import suite_names
from lowlabel.cli import names
from lowlabel.datasets.splits import class_list_names
from lowlabel.registry import Registry
from lowlabel.training import preset_names


def registered(package: str) -> set[str]:
    """The names in all registries of a package's `__init__`."""
    values = vars(import_module(package)).values()
    return {name for value in values if isinstance(value, Registry) for name in value}


@pytest.mark.parametrize(
    ("read", "package"),
    [
        (names.protocols, "lowlabel.benchmarks.protocols"),
        (names.pretraining_methods, "lowlabel.training.methods"),
        (names.fewshot_methods, "lowlabel.fewshot.methods"),
        (names.label_budget_methods, "lowlabel.classification.budget"),
        (names.post_processing, "lowlabel.retrieval.post"),
        (names.search_indexes, "lowlabel.retrieval.search"),
    ],
)
def test_names_are_those_of_the_registry(read, package):
    assert set(read()) == registered(package)
    assert len(set(read())) == len(read())


def test_names_of_files():
    assert names.suites() == suite_names()
    assert names.presets() == preset_names()
    assert names.class_lists() == class_list_names()
