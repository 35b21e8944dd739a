import doctest
import sys

import pytest

from lowlabel.retrieval import evaluate_copies, evaluate_retrieval, evaluate_revisited


@pytest.mark.parametrize("evaluate", [evaluate_retrieval, evaluate_revisited, evaluate_copies])
def test_the_example_in_the_documentation_runs(evaluate):
    outcome = doctest.testmod(sys.modules[evaluate.__module__])
    assert outcome.attempted > 0
    assert outcome.failed == 0
