"""`python:` models run a user's function; its code is part of the model."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import transforms
from torchvision.transforms import v2

from lowlabel.datasets import open_dataset
from lowlabel.errors import DataError, InputError, UnknownNameError, UserError
from lowlabel.features import ExtractionOptions, check_model, extract_features, load_backbone
from lowlabel.features.models.libraries.torchvision_steps import known_transform

PIXELS = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)
CODE = """
from torch import nn
from torchvision import transforms
from parts import layers

def build(width=4):
    return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), layers.linear(width))

def build_with_transform():
    steps = [transforms.Resize(36), transforms.CenterCrop(32), transforms.ToTensor()]
    return build(), transforms.Compose([*steps, transforms.Normalize((0.1, 0.2, 0.3), (1, 2, 3))])

def wrong():
    return 1 / 0

def number():
    return 3

def maps():
    return nn.Identity()
"""
LAYERS = "from torch import nn\n\ndef linear(width):\n    return nn.Linear(12, width, bias=BIAS)\n"


@pytest.fixture
def file(tmp_path):
    folder = tmp_path / "code"
    (folder / "parts").mkdir(parents=True)
    (folder / "model.py").write_text(CODE)
    (folder / "parts" / "__init__.py").touch()
    (folder / "parts" / "layers.py").write_text(LAYERS.replace("BIAS", "True"))
    return folder / "model.py"


def test_a_function_gives_the_network(file):
    backbone = load_backbone(f"python:{file}:build")
    assert backbone.transform.resize == 256 and backbone.name == "build"
    given = backbone.transform.normalise(PIXELS, torch.float32)
    expected = backbone.encoder.module(given)
    torch.testing.assert_close(backbone.embed(PIXELS), expected)
    assert load_backbone(f"python:{file}:build,width=5").embed(PIXELS).shape == (3, 5)
    again = load_backbone(f"python:{file}:build")
    assert again.weights_sha256 == backbone.weights_sha256  # drawn, and seeded
    assert again.spec == backbone.spec
    assert str(file.parent) not in sys.path


def test_its_transform_is_recorded(file):
    transform = load_backbone(f"python:{file}:build_with_transform").transform
    assert (transform.resize, transform.crop, transform.crop_mode) == (36, 32, "center")
    assert (transform.mean, transform.std) == ((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
    other = load_backbone(f"python:{file}:build_with_transform", resolution=64).transform
    assert (other.resize, other.crop) == (72, 64)


def test_changed_code_is_another_model_also_in_a_module_beside_it(file):
    first = load_backbone(f"python:{file}:build")
    layers = file.parent / "parts" / "layers.py"
    layers.write_text(LAYERS.replace("BIAS", "False"))
    second = load_backbone(f"python:{file}:build")
    assert second.spec != first.spec
    assert second.weights_sha256 != first.weights_sha256  # the new module ran
    file.write_text(CODE + "\n# a comment\n")
    assert load_backbone(f"python:{file}:build").spec not in (first.spec, second.spec)


def test_modules_of_one_name_in_two_folders_are_kept_apart(file, tmp_path):
    other = tmp_path / "other"
    (other / "parts").mkdir(parents=True)
    (other / "model.py").write_text(CODE)
    (other / "parts" / "layers.py").write_text(LAYERS.replace("BIAS", "False"))
    (other / "parts" / "__init__.py").touch()
    with_bias = load_backbone(f"python:{file}:build")
    without = load_backbone(f"python:{other / 'model.py'}:build")
    count = [len(list(each.encoder.parameters())) for each in (with_bias, without)]
    assert count == [2, 1]
    assert with_bias.spec != without.spec


def test_what_the_users_code_does_wrong_is_told_with_its_line(file):
    with pytest.raises(DataError, match=r"wrong fails in line 14 of model\.py: ZeroDivisionError"):
        load_backbone(f"python:{file}:wrong")
    with pytest.raises(DataError, match="build fails: TypeError"):
        load_backbone(f"python:{file}:build,colour=red")
    with pytest.raises(UnknownNameError, match="Did you mean build"):
        load_backbone(f"python:{file}:buld")
    with pytest.raises(InputError, match="returns a int, not a torch"):
        load_backbone(f"python:{file}:number")
    with pytest.raises(InputError, match=r"the model gives .*not features \[B, D\]"):
        load_backbone(f"python:{file}:maps")
    with pytest.raises(InputError, match="names no function of a Python file"):
        check_model(f"python:{file}")
    with pytest.raises(DataError, match="there is no file"):
        check_model(f"python:{file.parent / 'absent.py'}:build")
    file.write_text("build = 3")
    with pytest.raises(UnknownNameError, match=r"unknown function of model\.py 'build'") as error:
        load_backbone(f"python:{file}:build")
    assert error.value.hint == "There is none."
    file.write_text("import nothing_of_this_name")
    with pytest.raises(DataError, match=r"cannot be imported in line 1 of model\.py"):
        load_backbone(f"python:{file}:build")


NORMAL = transforms.Normalize((0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
BICUBIC = transforms.InterpolationMode.BICUBIC
COMPOSED = [
    transforms.Compose(
        [transforms.Resize(40), transforms.CenterCrop(32), transforms.ToTensor(), NORMAL]
    ),
    transforms.Compose(
        [transforms.Resize((40, 36), BICUBIC), transforms.CenterCrop(32), transforms.ToTensor()]
    ),
    v2.Compose(
        [
            v2.ToImage(),
            v2.RGB(),
            v2.Resize((32, 32), antialias=True),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.5,) * 3, (0.25,) * 3),
        ]
    ),
]


@pytest.mark.parametrize("composed", COMPOSED)
@pytest.mark.parametrize("size", [(61, 47), (45, 90), (33, 41)])
def test_a_composed_transform_is_repeated(tmp_path, composed, size):
    transform = known_transform(composed, "mine")
    random = np.random.default_rng(0)
    image = Image.fromarray(random.integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
    image.save(tmp_path / "image.png")
    pixels = torch.from_numpy(transform.read(tmp_path / "image.png"))[None]
    found, expected = transform.normalise(pixels, torch.float32)[0], composed(image)
    assert found.shape == expected.shape
    std = torch.tensor(transform.std)[:, None, None]
    assert ((found - expected).abs() * std * 255).max() <= 2.01


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (nn.Identity(), "returns a Identity as its transform"),
        (transforms.Compose([transforms.Resize(32), transforms.ToTensor()]), "without a crop"),
        (transforms.Compose([transforms.RandomResizedCrop(32)]), "RandomResizedCrop"),
        (transforms.Compose([transforms.Resize((8, 8)), NORMAL]), "cannot be repeated"),
        (
            transforms.Compose(
                [transforms.CenterCrop(8), transforms.Resize((8, 8)), transforms.ToTensor()]
            ),
            "in another order",
        ),
        (
            transforms.Compose([transforms.Resize(8, max_size=9), transforms.ToTensor()]),
            "has a largest side",
        ),
    ],
)
def test_transforms_that_cannot_be_repeated_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        known_transform(given, "mine")


MISBEHAVING = """
import sys
import torch
from torch import nn

class Model(nn.Module):
    def forward(self, images):
        return FORWARD

def build():
    BUILD
    return Model()

def full():
    raise torch.cuda.OutOfMemoryError
"""


@pytest.mark.parametrize(
    ("forward", "build", "message"),
    [
        ("images.flatten(1)", "sys.exit(0)", r"build fails in line 11 of model\.py: SystemExit"),
        ("{}['x']", "", r"Model fails in line 8 of model\.py: KeyError: it has no 'x'"),
        ("sys.exit()", "", r"Model fails in line 8 of model\.py: SystemExit"),
        ("images.no_such_name", "", "AttributeError"),
        ("images.flatten(1).mean(0, keepdim=True).repeat(2, 1)", "", r"\[2, .* for 1 images"),
        ("torch.zeros(len(images), 0)", "", r"gives \[1, 0\]"),
        ("torch.zeros(len(images), 2, dtype=torch.complex64)", "", "complex64"),
        ("[images]", "", "the model gives 1 outputs"),
    ],
)
def test_models_that_misbehave_are_refused(file, forward, build, message):
    file.write_text(MISBEHAVING.replace("FORWARD", forward).replace("BUILD", build))
    with pytest.raises(UserError, match=message):
        load_backbone(f"python:{file}:build")


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        ("images.flatten(1)[:, :4].mean(0, keepdim=True)", r"\[1, 4\] float32 for 4 images"),
        ("torch.zeros(len(images), len(images))", "vectors of 4 numbers for some images"),
        ("1 // (4 - len(images)) + images.flatten(1)", r"line 8 of model\.py: ZeroDivisionError"),
        ("images.flatten(1) * float('nan')", "not finite"),
        ("images.flatten(1) if len(images) == 1 else full()", "4 images of build do not fit"),
    ],
)
def test_models_that_misbehave_on_batches_are_refused(file, image_folder, forward, message):
    file.write_text(MISBEHAVING.replace("FORWARD", forward).replace("BUILD", ""))
    backbone = load_backbone(f"python:{file}:build")
    images = open_dataset(f"folder:{image_folder}").load("novel")
    with pytest.raises(UserError, match=message):
        extract_features(backbone, images, ExtractionOptions(batch_size=4))


def test_a_batch_that_does_not_fit_the_device_says_which_option_helps(file, image_folder):
    backbone = load_backbone(f"python:{file}:build")
    images = open_dataset(f"folder:{image_folder}").load("novel")

    def full(given):
        if len(given) > 1:
            raise torch.OutOfMemoryError
        return torch.zeros(1, 4)

    full.name = "full"
    with pytest.raises(UserError, match="4 images of build do not fit"):
        extract_features(replace(backbone, forward=full), images, ExtractionOptions(batch_size=4))
