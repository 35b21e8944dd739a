import math

import pytest

from lowlabel.classification import unfinished


@pytest.fixture
def saves_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unfinished trainings are saved as often as they ask, whatever share of the time it takes."""
    monkeypatch.setattr(unfinished, "_MOST_SHARE", math.inf)
