"""Published numbers beside features whose origin the user declares."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from lowlabel.benchmarks import Request, make_plan, run_plan
from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.results import find_reference, render_markdown

SPEC = "mini-imagenet:ravi,model=dc-wrn-28-10"


@pytest.fixture
def asked(tmp_path):
    """A request for Distribution Calibration on a file with the counts of mini-ImageNet."""
    random = np.random.default_rng(0)

    def write(name, classes, images):
        table = {label: random.random((images, 4), np.float32) + label for label in range(classes)}
        (tmp_path / name).write_bytes(pickle.dumps(table))
        return tmp_path / name

    options = {"method": ("dc",), "shots": (1,), "tasks": 2}
    return Request(
        "fewshot-dc",
        tmp_path / "out",
        features=write("novel_features.plk", 20, 600),
        features_of=SPEC,
        options={**options, "train_features": write("base_features.plk", 6, 8)},
    )


@pytest.mark.slow
def test_a_declared_file_has_its_published_number_and_says_so(asked):
    (record,) = run_plan(make_plan(asked), asked).records
    assert find_reference(record, "accuracy").value == 68.57
    text = render_markdown([record])
    assert f"Declared by the user, and not seen here: features of {SPEC}." in text
    assert "68.57±0.55" in text and "Beside the published numbers" in text
    plain = replace(asked, features_of=None)
    (other,) = run_plan(make_plan(plain), plain).records
    assert find_reference(other, "accuracy") is None
    assert other.identity() != record.identity()
    assert other.score("accuracy").mean == record.score("accuracy").mean


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("mini-imagenet", InputError, "does not name a dataset and a model"),
        ("no-such,model=dc-wrn-28-10", UnknownNameError, "no-such"),
        ("cub:no-such,model=dc-wrn-28-10", UnknownNameError, "no-such"),
        ("mini-imagenet,model=dino", UnknownNameError, "dino"),
        (
            "cub,model=dc-wrn-28-10",
            DataError,
            "12,000 images of 20 classes, but novel of cub",
        ),
    ],
)
def test_what_the_file_cannot_be_is_refused(asked, spec, error, message):
    with pytest.raises(error, match=message):
        make_plan(replace(asked, features_of=spec))


def test_only_a_file_can_be_declared(tmp_path):
    with pytest.raises(InputError, match="--features-of"):
        Request("fewshot", tmp_path, ("pixels",), features_of=SPEC)
