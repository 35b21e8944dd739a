import pytest

from lowlabel.errors import InputError
from lowlabel.features import BackboneOptions


def test_settings_are_read_as_literals_by_protocol(request_of):
    settings = ("knn.neighbours=(3, 5)", "retrieval.ties=optimistic", "knn.temperature=0.1")
    assert request_of("all", settings=settings).protocol_settings() == {
        "knn": {"neighbours": (3, 5), "temperature": 0.1},
        "retrieval": {"ties": "optimistic"},
    }


def test_a_setting_stands_once(request_of):
    with pytest.raises(InputError, match=r"knn\.neighbours is given twice"):
        request_of("all", settings=("knn.neighbours=3", "knn.neighbours=5")).protocol_settings()


@pytest.mark.parametrize("setting", ["knn.neighbours", "neighbours=3", "knn.neighbours=", "=3"])
def test_settings_that_name_nothing(request_of, setting):
    with pytest.raises(InputError, match="--set"):
        request_of("all", settings=(setting,)).protocol_settings()


def test_features_bring_no_models_and_datasets(request_of, feature_file):
    with pytest.raises(InputError, match="do not go with it"):
        request_of("all", "demo", features=feature_file)
    with pytest.raises(InputError, match="--pooling"):
        request_of("all", features=feature_file, backbone=BackboneOptions("cls"))
    with pytest.raises(InputError, match="2 labels for one file"):
        request_of("all", features=feature_file, label=("a", "b"))
