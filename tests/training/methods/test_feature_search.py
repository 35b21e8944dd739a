import numpy as np
import pytest
import timm
import torch

from lowlabel.errors import InputError
from lowlabel.training.methods.feature_search import (
    SearchModel,
    ShallowHead,
    search_layers,
    search_map,
    searched_features,
)


def test_search_equals_loops():
    torch.manual_seed(0)
    local, teacher = torch.randn(3, 2, 5, 2, 3), torch.randn(2, 5, 4, 4)
    found = search_map(local, teacher)
    searched = searched_features(local, teacher)
    a, f = local.double().numpy(), teacher.double().numpy()
    for view in range(3):
        for image in range(2):
            average = a[view, image].mean((1, 2))
            average /= np.linalg.norm(average)
            for y in range(4):
                for x in range(4):
                    feature = f[image, :, y, x]
                    cosine = feature @ average / np.linalg.norm(feature)
                    assert float(found[view, image, y, x]) == pytest.approx(cosine, abs=1e-6)
                    np.testing.assert_allclose(
                        searched[view, image, :, y, x], cosine * feature, rtol=1e-4, atol=1e-6
                    )


def test_no_gradient_through_the_search():
    local = torch.randn(1, 2, 5, 2, 2, requires_grad=True)
    assert not search_map(local, torch.randn(2, 5, 4, 4)).requires_grad


def test_the_cropped_position_is_found():
    """A local view of one position: the map is 1 there and at most 1 elsewhere."""
    torch.manual_seed(1)
    teacher = torch.randn(4, 16, 6, 6)
    found = search_map(7 * teacher[None, :, :, 2:3, 4:5], teacher)[0]
    assert found.flatten(1).argmax(1).tolist() == [2 * 6 + 4] * 4
    torch.testing.assert_close(found[:, 2, 4], torch.ones(4))


def test_shallow_head_is_a_residual_bottleneck():
    torch.manual_seed(0)
    head = ShallowHead(8, bottleneck=4, hidden=10, out_features=6).double()
    maps = torch.randn(5, 8, 3, 3, dtype=torch.float64)
    convolutions = [layer for layer in head.residual if isinstance(layer, torch.nn.Conv2d)]
    assert [tuple(layer.weight.shape) for layer in convolutions] == [
        (4, 8, 1, 1),
        (4, 4, 3, 3),
        (8, 4, 1, 1),
    ]

    def normed(x):  # BatchNorm of a new layer, over images and positions
        axes = [0, *range(2, x.ndim)]
        return (x - x.mean(axes, keepdim=True)) / (
            x.var(axes, unbiased=False, keepdim=True) + 1e-5
        ).sqrt()

    conv = torch.nn.functional.conv2d
    inner = normed(conv(maps, head.residual[0].weight)).relu()
    inner = normed(conv(inner, head.residual[3].weight, padding=1)).relu()
    mixed = (maps + normed(conv(inner, head.residual[6].weight))).relu().mean((2, 3))
    first, last = head.projection[0], head.projection[3]
    hidden = normed(mixed @ first.weight.T + first.bias).relu()
    output = normed(hidden @ last.weight.T + last.bias)
    torch.testing.assert_close(head(maps), output / output.norm(dim=1, keepdim=True))


@pytest.mark.parametrize(
    ("name", "channels"), [("resnet18", [128, 256, 512]), ("resnet50", [512, 1024, 2048])]
)
def test_shapes_of_resnets(name, channels):
    with torch.device("meta"):
        backbone = timm.create_model(name, num_classes=0)
        model = SearchModel(backbone, torch.nn.Linear(channels[-1], 7), hidden=8, out_features=5)
        views = [torch.empty(2, 3, size, size) for size in (64, 64, 32, 32, 32)]
        logits, features, (large, small) = model(views)
    assert [width for _, width in search_layers(backbone)] == channels
    assert logits.shape == (10, 7)
    assert features.shape == (10, channels[-1])
    for maps, images, sides in ((large, 4, (8, 4, 2)), (small, 6, (4, 2, 1))):
        expected = [(images, c, side, side) for c, side in zip(channels, sides, strict=True)]
        assert [tuple(x.shape) for x in maps] == expected


def test_maps_are_the_layers_of_the_network():
    torch.manual_seed(0)
    backbone = timm.create_model("resnet10t", num_classes=0, channels=(4, 6, 8, 10), stem_width=4)
    backbone.eval()
    model = SearchModel(backbone, torch.nn.Linear(10, 7), hidden=8, out_features=5)
    views = [torch.randn(2, 3, size, size) for size in (64, 64, 32)]
    seen = {}
    for name in ("layer2", "layer3", "layer4"):
        backbone.get_submodule(name).register_forward_hook(
            lambda _, __, output, name=name: seen.__setitem__(name, output)
        )
    with torch.no_grad():
        _, features, (large, _) = model(views)
        torch.testing.assert_close(features[:4], backbone(torch.cat(views[:2])))
    for found, expected in zip(large, seen.values(), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "convnext_atto"])
def test_networks_without_layers_are_refused(name):
    with torch.device("meta"):
        network = timm.create_model(name, num_classes=0)
    with pytest.raises(InputError, match="has no layer2, layer3, layer4"):
        list(search_layers(network))
