import numpy as np
import pytest
import torch
from PIL import Image

from lowlabel.training.views import colour, colour_batch
from lowlabel.training.views.device_views import device_views, draw_image, join_images
from lowlabel.training.views.geometry import CropGeometry
from lowlabel.training.views.multicrop import MultiCrop, cut
from lowlabel.training.views.recipe import ViewRecipe
from lowlabel.training.views.resampling import blur, crop_and_resize

CPU = torch.device("cpu")


def picture(seed: int, width: int, height: int) -> Image.Image:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def planes(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


@pytest.mark.parametrize(
    "crop",
    [
        CropGeometry(0, 0, 75, 100, 75, 100, False, 32),  # the whole image, reduced
        CropGeometry(20, 31, 40, 33, 75, 100, True, 48),  # an inner crop, one side enlarged
        CropGeometry(70, 95, 5, 5, 75, 100, True, 16),  # a corner, enlarged
    ],
)
def test_crops_equal_pillows(crop):
    image = picture(0, 100, 75)
    padded = torch.full((1, 3, 90, 130), 255.0)
    padded[0, :, :75, :100] = planes(image).float()
    box = torch.tensor([[[crop.top, crop.left, crop.height, crop.width, crop.flipped]]])
    got = crop_and_resize(padded, box, torch.tensor([[75, 100]]), crop.size)[0, 0]
    expected = planes(cut(image, crop)).float()
    assert (got - expected).abs().max() <= 1


@pytest.mark.parametrize("name", colour_batch.ADJUST)
@pytest.mark.parametrize("factor", [0.0, 0.07, 0.6, 1.0, 1.37])
def test_colours_equal_those_of_single_images(name, factor):
    pixels = np.random.default_rng(1).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    got = colour_batch.ADJUST[name](images, torch.tensor(factor).view(1, 1, 1, 1))[0]
    getattr(colour, f"adjust_{name}")(pixels, factor)
    assert (got - torch.from_numpy(pixels).permute(2, 0, 1)).abs().max() <= 1.01


def test_blur_is_the_gaussian_with_repeated_edges():
    images = torch.rand(3, 2, 15, 15, generator=torch.Generator().manual_seed(0)) * 255
    deviations = torch.tensor([0.1, 0.8, 2.0])
    got = blur(images, deviations)
    reach = 30
    for image, deviation, blurred in zip(images.double(), deviations.double(), got, strict=True):
        kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / deviation) ** 2)
        kernel = kernel / kernel.sum()
        padded = torch.nn.functional.pad(image[None], (reach,) * 4, mode="replicate")[0]
        plane = (kernel[:, None] * kernel)[None, None]
        expected = torch.nn.functional.conv2d(padded[:, None], plane)[:, 0]
        torch.testing.assert_close(blurred.double(), expected, atol=1e-3, rtol=0)


def drawn_batch(recipe, images, crop_seed=None):
    parts = [draw_image(image, recipe, (5, n), crop_seed, [n]) for n, image in enumerate(images)]
    return join_images(parts)


@pytest.mark.parametrize("crop_seed", [None, (3,)])
def test_views_equal_those_of_the_cpu(crop_seed):
    resize = 0 if crop_seed is None else 72
    recipe = ViewRecipe(48, 24, 3, resize=resize, shared_geometry=crop_seed is not None)
    # 40 images of many shapes, more than one block
    images = [picture(n, 40 + 7 * (n % 9), 90 - 5 * (n % 7)) for n in range(40)]
    drawn = drawn_batch(recipe, images, crop_seed)
    views = device_views(drawn, CPU)
    assert drawn.unreadable == list(range(40))
    assert [tuple(v.shape) for v in views] == [(40, 3, 48, 48)] * 2 + [(40, 3, 24, 24)] * 3
    crops = MultiCrop(recipe)
    for n, image in enumerate(images):
        expected, geometry = crops(image, (5, n), crop_seed)
        assert torch.equal(geometry, drawn.geometry[n])
        is_blurred = drawn.distortions[n, :, -2] > 0
        for view, made, blurred in zip(expected, views, is_blurred, strict=True):
            difference = (view.float() - made[n].float()).abs()
            # Pillow blurs with boxes; solarizing turns a difference of 1 at 128 into up to 128.
            assert difference.median() <= (3 if blurred else 1)
            assert difference.mean() < (3 if blurred else 1)


def test_a_huge_image_is_reduced_first():
    recipe = ViewRecipe(
        32, 16, 0, jitter=0, grayscale=0, blur_first=0, blur_second=0, solarize_second=0,
        global_scale=(0.5, 1.0),
    )  # fmt: skip
    image = picture(2, 2600, 1500)
    drawn = drawn_batch(recipe, [image])
    assert drawn.sizes.tolist() == [[500, 867]]
    expected, _ = MultiCrop(recipe)(image, (5, 0))
    for view, made in zip(expected, device_views(drawn, CPU), strict=True):
        assert (view.float() - made[0].float()).abs().mean() < 1
