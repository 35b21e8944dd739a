"""Friedman's test and the critical difference, against Demšar's example and scipy."""

import numpy as np
import pytest
from scipy import stats

from lowlabel.errors import InputError
from lowlabel.results.ranks import critical_difference

# AUC of four trees on 14 datasets: Demšar, JMLR 7 (2006), table 6
DEMSAR = """.763 .768 .771 .798
.599 .591 .590 .569
.954 .971 .968 .967
.628 .661 .654 .657
.882 .888 .886 .898
.936 .931 .916 .931
.661 .668 .609 .685
.583 .583 .563 .625
.775 .838 .866 .875
1.000 1.000 1.000 1.000
.940 .962 .965 .962
.619 .666 .614 .669
.972 .981 .9751 .975
.957 .978 .946 .970"""
TREES = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")


def demsar() -> dict[str, dict[str, float]]:
    rows = [map(float, line.split()) for line in DEMSAR.splitlines()]
    return {f"set {i}": dict(zip(TREES, row, strict=True)) for i, row in enumerate(rows)}


def test_equals_the_published_example():
    found = critical_difference(demsar())
    assert found.ranks["C4.5"] == pytest.approx(3.143, abs=1e-3)
    assert found.ranks["C4.5+m"] == pytest.approx(2.000, abs=1e-3)
    assert found.ranks["C4.5+cf"] == pytest.approx(2.893, abs=1e-3)
    assert found.ranks["C4.5+m+cf"] == pytest.approx(1.964, abs=1e-3)
    assert found.distance == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=2e-3)
    assert next(iter(found.ranks)) == "C4.5+m+cf"


def test_p_is_that_of_scipy():
    table = np.array([list(row.values()) for row in demsar().values()])
    assert critical_difference(demsar()).p == pytest.approx(stats.friedmanchisquare(*table.T)[1])


def test_groups_join_what_cannot_be_told_apart():
    merits = {
        f"set {i}": {"a": 9.0 + i, "b": 9.0 - i % 2 + i, "c": 1.0, "d": 0.0} for i in range(12)
    }
    found = critical_difference(merits)
    assert found.groups == (("a", "b"), ("b", "c"), ("c", "d"))


def test_equal_models_are_one_group():
    merits = {f"set {i}": dict.fromkeys("abc", 50.0) for i in range(8)}
    found = critical_difference(merits)
    assert found.p == 1.0
    assert found.groups == (("a", "b", "c"),)


def test_few_datasets_and_gaps_are_refused():
    with pytest.raises(InputError, match="4 models on 7 datasets"):
        critical_difference(dict(list(demsar().items())[:7]))
    merits = demsar()
    del merits["set 3"]["C4.5"]
    with pytest.raises(InputError, match=r"C4\.5 has no score on set 3"):
        critical_difference(merits)
