import pytest

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.training.engine.optimisation import Optimisation


def test_optimisation_refuses_bad_values():
    with pytest.raises(UnknownNameError, match="lamb"):
        Optimisation(optimizer="lamb")
    with pytest.raises(InputError, match="lr"):
        Optimisation(lr=0)
    with pytest.raises(InputError, match="teacher_momentum"):
        Optimisation(teacher_momentum=1.5)
