import pytest

from lowlabel.analysis import draw_training, training_curves
from lowlabel.errors import DataError

ENTRIES = [
    {"step": 10, "epoch": 0.5, "lr": 0.1, "loss": 4.0, "teacher_entropy": 2.0, "novelty": 7},
    {"step": 20, "epoch": 1.0, "lr": 0.2, "loss": 3.0, "teacher_entropy": 1.0, "knn_top1": 12.5},
]


def test_each_value_is_drawn_against_its_epoch():
    curves = training_curves(ENTRIES)
    assert list(curves) == [
        *("Loss", "k-NN Top-1 (%)", "Learning rate", "Entropy (nats)", "novelty"),
    ]
    assert curves["Loss"] == {"loss": [(0.5, 4.0), (1.0, 3.0)]}
    assert curves["k-NN Top-1 (%)"] == {"knn_top1": [(1.0, 12.5)]}
    assert curves["novelty"] == {"novelty": [(0.5, 7.0)]}


def test_the_picture_has_a_panel_for_each():
    few, many = (draw_training("run", training_curves(e)) for e in (ENTRIES[1:], ENTRIES))
    assert many.mode == "RGB"
    assert many.height > few.height / 2 > 100


def test_a_run_without_values_is_refused():
    with pytest.raises(DataError, match="no values"):
        training_curves([])
