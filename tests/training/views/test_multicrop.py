import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import ks_2samp
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms import functional as reference

from lowlabel.errors import InputError
from lowlabel.training.views.draws import draw_crop
from lowlabel.training.views.geometry import GEOMETRY_FIELDS, CropGeometry, geometry_tensor
from lowlabel.training.views.multicrop import MultiCrop, cut
from lowlabel.training.views.recipe import ViewRecipe

PLAIN = ViewRecipe(
    32, 16, 3, flip=0.5, jitter=0, grayscale=0, blur_first=0, blur_second=0, blur_local=0,
    solarize_second=0,
)  # fmt: skip


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)


@pytest.mark.parametrize(("size", "scale"), [((40, 30), (0.05, 0.4)), ((100, 10), (0.4, 1.0))])
def test_crops_have_torchvisions_distribution(size, scale):
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    image, ratio = Image.new("RGB", size), (3 / 4, 4 / 3)
    theirs = np.array(
        [RandomResizedCrop.get_params(image, list(scale), list(ratio)) for _ in range(3000)]
    )
    crops = [draw_crop(random, size, scale, ratio, 32, 0.5) for _ in range(3000)]
    ours = np.array([[crop.top, crop.left, crop.height, crop.width] for crop in crops])
    for column in range(4):
        assert ks_2samp(theirs[:, column], ours[:, column]).pvalue > 1e-3
    assert abs(np.mean([crop.flipped for crop in crops]) - 0.5) < 0.04


def test_geometry_locates_the_pixels_of_a_view():
    rows, columns = np.mgrid[:60, :80].astype(np.uint8)
    image = Image.fromarray(np.stack([rows, columns, rows], axis=-1))
    views, geometry = MultiCrop(PLAIN)(image, (0,))
    assert geometry.shape == (5, len(GEOMETRY_FIELDS))
    for view, row in zip(views, geometry, strict=True):
        crop = CropGeometry.from_row(row)
        assert view.shape == (3, crop.size, crop.size)
        centres = (np.arange(crop.size) + 0.5) / crop.size
        down = crop.top + centres * crop.height - 0.5
        across = crop.left + centres * crop.width - 0.5
        across = across[::-1] if crop.flipped else across
        inner = slice(2, -2)
        np.testing.assert_allclose(view[0].float().mean(1)[inner], down[inner], atol=1)
        np.testing.assert_allclose(view[1].float().mean(0)[inner], across[inner], atol=1)
    assert {CropGeometry.from_row(row).flipped for row in geometry} == {True, False}


def test_cut_equals_torchvisions_resized_crop_inside_the_crop(pixels):
    image = Image.fromarray(pixels).resize((120, 90), Image.Resampling.BICUBIC)
    crop = CropGeometry(10, 20, 64, 64, 90, 120, True, 32)
    got = np.asarray(cut(image, crop)).astype(int)
    expected = np.asarray(
        reference.hflip(reference.resized_crop(image, 10, 20, 64, 64, [32, 32], 3))
    )
    assert np.abs(got - expected)[3:-3, 3:-3].max() <= 1


def test_the_same_seed_gives_the_same_views_and_another_does_not(pixels):
    image, crops = Image.fromarray(pixels), MultiCrop(ViewRecipe(32, 16, 2))
    first, again, other = (crops(image, seed) for seed in ((1, 2), (1, 2), (1, 3)))
    assert all(torch.equal(a, b) for a, b in zip(first[0], again[0], strict=True))
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])


def test_shared_geometry_does_not_depend_on_the_seed(pixels):
    recipe = ViewRecipe(32, 16, 2, resize=48, shared_geometry=True)
    small, large = Image.fromarray(pixels), Image.fromarray(pixels).resize((200, 90))
    (_, one), (_, two) = (MultiCrop(recipe)(i, (n,), (7,)) for n, i in enumerate((small, large)))
    assert torch.equal(one, two)
    assert set(one[:, 4:6].flatten().tolist()) == {48}


def test_small_images_are_enlarged():
    views, geometry = MultiCrop(PLAIN)(Image.new("RGB", (5, 4), (10, 20, 30)), (0,))
    assert views[0].flatten(1).unique(dim=1).flatten().tolist() == [10, 20, 30]
    assert geometry[:, 2].max() <= 4


def test_each_probability_changes_only_its_view():
    halves = np.zeros((32, 32, 3), np.uint8)
    halves[:, 16:] = 250
    image = Image.fromarray(halves)
    sharp = dict.fromkeys(("blur_first", "blur_second", "blur_local"), 0.0)
    whole = {"global_scale": (1.0, 1.0), "local_scale": (1.0, 1.0), "ratio": (1.0, 1.0)}
    plain = {"jitter": 0.0, "grayscale": 0.0, "flip": 0.0, "solarize_second": 0.0}
    base = {"global_size": 32, "local_size": 32, "local_crops": 1} | sharp | whole | plain
    for option, changed in (
        ("blur_first", 0),
        ("blur_second", 1),
        ("blur_local", 2),
        ("solarize_second", 1),
    ):
        recipe = ViewRecipe(**(base | {option: 1.0, "blur_radius": (2.0, 2.0)}))
        views, _ = MultiCrop(recipe)(image, (0,))
        same = [bool((v.permute(1, 2, 0).numpy() == halves).all()) for v in views]
        assert same == [n != changed for n in range(3)]


def test_a_geometry_is_restored_from_its_row():
    crop = CropGeometry(1, 2, 3, 4, 50, 60, True, 32)
    (row,) = geometry_tensor([crop])
    assert row.dtype == torch.int64
    assert CropGeometry.from_row(row) == crop
    with pytest.raises(InputError, match="8 numbers, not 3"):
        CropGeometry.from_row([1, 2, 3])


@pytest.mark.parametrize(
    "wrong",
    [{"global_size": 0}, {"flip": 1.5}, {"local_scale": (0.5, 0.1)}, {"shared_geometry": True}],
)
def test_recipes_refuse_bad_values(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        ViewRecipe(**wrong)
