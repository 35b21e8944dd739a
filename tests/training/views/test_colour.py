import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional as reference

from lowlabel.training.views import colour


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
@pytest.mark.parametrize("factor", [0.0, 0.6, 1.0, 1.37])
def test_colour_equals_torchvisions_on_pillow_images(pixels, name, factor):
    got = pixels.copy()
    getattr(colour, f"adjust_{name}")(got, factor)
    expected = np.asarray(getattr(reference, f"adjust_{name}")(Image.fromarray(pixels), factor))
    assert np.abs(got.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("factor", [-0.5, -0.1, -0.013, 0.0, 0.05, 0.1, 0.5])
def test_hue_equals_torchvisions_on_float_tensors(pixels, factor):
    got = pixels.copy()
    colour.adjust_hue(got, factor)
    tensor = torch.from_numpy(pixels).permute(2, 0, 1).double() / 255
    expected = reference.adjust_hue(tensor, factor).permute(1, 2, 0).numpy() * 255
    assert np.abs(got - expected).max() <= 1


def test_grayscale_and_solarize_equal_torchvisions(pixels):
    image = Image.fromarray(pixels)
    grey, inverted = pixels.copy(), pixels.copy()
    colour.to_grayscale(grey)
    colour.solarize(inverted)
    np.testing.assert_array_equal(grey, np.asarray(reference.to_grayscale(image, 3)))
    np.testing.assert_array_equal(inverted, np.asarray(reference.solarize(image, 128)))
