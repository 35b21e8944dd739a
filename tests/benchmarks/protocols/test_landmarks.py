"""Landmarks are evaluated with the settings of each dataset."""

import pytest

from lowlabel.benchmarks.protocols.landmarks import Landmarks
from lowlabel.benchmarks.suite import load_suite
from lowlabel.cli.options import MULTI_SCALE
from lowlabel.datasets import DATASETS
from lowlabel.errors import UnknownNameError
from lowlabel.features import BackboneOptions


def framed(suite, dataset, asked=None):
    protocol = load_suite(suite).protocol("landmarks").for_dataset(DATASETS[dataset])
    options = protocol.backbone(asked or BackboneOptions())
    return options.framing, options.resolution, tuple(options.scales)


def test_dino_has_other_settings_for_paris_than_for_oxford():
    assert framed("landmarks-dino", "roxford5k") == ("longest", 224, (1.0,))
    assert framed("landmarks-dino", "rparis6k") == ("longest", 512, MULTI_SCALE)
    assert framed("landmarks", "roxford5k") == ("longest", 1024, MULTI_SCALE)
    asked = BackboneOptions(resolution=64)
    assert framed("landmarks-dino", "rparis6k", asked)[1] == 64


def test_suites_of_landmarks_take_the_division_of_their_authors():
    for suite, division in (("landmarks", "revisitop"), ("landmarks-dino", "dino-revisited")):
        datasets = load_suite(suite).protocol("landmarks").dataset
        assert datasets == (f"roxford5k:{division}", f"rparis6k:{division}")


@pytest.mark.parametrize("name", ["roxford5k", "rparis6k", "demo-landmarks"])
def test_a_dataset_named_without_division_is_taken_as_the_suite_does(name):
    for suite, division in (("landmarks", "revisitop"), ("landmarks-dino", "dino-revisited")):
        protocol = load_suite(suite).protocol("landmarks")
        assert protocol.division_of(name).name == division
        assert protocol.division_of(f"{name}:revisitop").name == "revisitop"
        assert protocol.division_of("copydays") is None


def test_settings_of_a_dataset_are_checked_at_once():
    with pytest.raises(UnknownNameError, match="no_such"):
        Landmarks(by_dataset={"rparis6k": {"no_such": 1}})
    with pytest.raises(UnknownNameError, match="dataset"):
        Landmarks(by_dataset={"no-such-place": {"resolution": 512}})
