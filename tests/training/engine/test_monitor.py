import math

import pytest

from lowlabel.training.engine.monitor import TrainingError, check_finite


def test_divergence_is_reported_with_its_step():
    with pytest.raises(TrainingError, match="loss is nan in step 1,234"):
        check_finite(1234, loss=math.nan)
    with pytest.raises(TrainingError, match="gradient norm is inf"):
        check_finite(1, gradient_norm=math.inf)
