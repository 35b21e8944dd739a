import copy
import math

import numpy as np
import pytest
import timm
import torch

from lowlabel.errors import InputError
from lowlabel.training.methods.scfs import SCFS, SCFSOptions
from lowlabel.training.views.recipe import ViewRecipe

VIEWS = ViewRecipe(global_size=64, local_size=32, local_crops=3)
BATCH, TEMPERATURE, GEOMETRY = 4, 0.05, torch.zeros(4, 5, 8, dtype=torch.int64)


def make_backbone(is_student=False):
    return timm.create_model("resnet10t", num_classes=0, channels=(4, 6, 8, 10), stem_width=4)


def build(seed=0):
    torch.manual_seed(seed)
    options = SCFSOptions(
        prototypes=11, hidden=16, bottleneck=6, views=VIEWS,
        search_bottleneck=8, search_hidden=12, search_outputs=8,
    )  # fmt: skip
    method = SCFS.build(options, make_backbone)
    with torch.no_grad():
        for parameter in method.teacher.parameters():
            parameter.mul_(1 + 0.1 * torch.randn_like(parameter))
        for centre in [method.centre, *method.layer_centres]:
            centre.value.normal_(std=0.2)
    return method


def batch(seed=0):
    torch.manual_seed(seed)
    return [torch.randn(BATCH, 3, size, size) for size in VIEWS.sizes]


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def cross_entropy(q, scores):
    return -float(q @ np.log(softmax(scores / 0.1)))


def expected_loss(method, views):
    """The loss by loops over layers, views and images, in float64 from the maps on."""
    method = copy.deepcopy(method).double()
    with torch.no_grad():
        views = [view.double() for view in views]
        t_logits, _, (t_maps,) = method.teacher(views[:2])
        s_logits, _, (g_maps, l_maps) = method.student(views)
        centre = method.centre.value.numpy()[0]
        s, t = (x.numpy().reshape(-1, BATCH, 11) for x in (s_logits, t_logits))
        total = np.mean(
            [
                cross_entropy(softmax((t[i, n] - centre) / TEMPERATURE), s[v, n])
                for i in range(2)
                for v in range(5)
                if v != i
                for n in range(BATCH)
            ]
        )
        for layer in range(3):
            student, teacher = (m.shallow_heads[layer] for m in (method.student, method.teacher))
            centre = method.layer_centres[layer].value.numpy()[0]
            t = teacher(t_maps[layer]).numpy().reshape(2, BATCH, -1)
            s = student(g_maps[layer]).numpy().reshape(2, BATCH, -1)
            whole = [
                cross_entropy(softmax((t[i, n] - centre) / TEMPERATURE), s[1 - i, n])
                for i in range(2)
                for n in range(BATCH)
            ]
            searched = []
            for row, average in enumerate(l_maps[layer].mean((2, 3))):
                f = t_maps[layer][row % BATCH]
                a = average / average.norm()
                searched.append((f / f.norm(dim=0) * a[:, None, None]).sum(0) * f)
            q = teacher(torch.stack(searched)).numpy()
            s = student(l_maps[layer]).numpy()
            local = [cross_entropy(softmax(q[i] / TEMPERATURE), s[i]) for i in range(3 * BATCH)]
            total += 0.5 * (np.mean(whole) + np.mean(local))
    return total


def test_loss_equals_loops():
    method, views = build(), batch()
    expected = expected_loss(method, views)
    loss, logs = method(views, GEOMETRY, TEMPERATURE)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-4)
    parts = [logs[f"{name}_loss"] for name in ("dino", "layer2", "layer3", "layer4")]
    assert float(sum(parts)) == pytest.approx(float(loss.detach()), rel=1e-6)


def test_uniform_outputs_give_the_uniform_loss():
    method = build()
    for model in (method.student, method.teacher):
        torch.nn.init.zeros_(model.head.mlp[-1].weight)
        for head in model.shallow_heads:
            torch.nn.init.zeros_(head.projection[-1].weight)
            torch.nn.init.ones_(head.projection[-1].bias)
    for centre in [method.centre, *method.layer_centres]:
        centre.value.zero_()
    loss, _ = method(batch(), GEOMETRY, TEMPERATURE)
    assert method.uniform_loss == pytest.approx(math.log(11) + 3 * math.log(8))
    assert float(loss.detach()) == pytest.approx(method.uniform_loss, rel=1e-5)


def test_only_the_student_has_gradients():
    method = build()
    loss, _ = method(batch(), GEOMETRY, TEMPERATURE)
    loss.backward()
    trained = [p for p in method.student.parameters() if p.requires_grad]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained)
    assert all(p.grad is None for p in method.teacher.parameters())
    assert all(
        float(h.residual[0].weight.grad.abs().sum()) > 0 for h in method.student.shallow_heads
    )


def test_each_layer_has_a_centre():
    method, views = build(), batch()
    before = [centre.value.clone() for centre in method.layer_centres]
    with torch.no_grad():
        _, _, (maps,) = copy.deepcopy(method.teacher)(views[:2])
        means = [
            head(layer).mean(0)
            for head, layer in zip(copy.deepcopy(method.teacher.shallow_heads), maps, strict=True)
        ]
    method(views, GEOMETRY, TEMPERATURE)
    for old, mean, centre in zip(before, means, method.layer_centres, strict=True):
        torch.testing.assert_close(centre.value, 0.9 * old + 0.1 * mean)


def test_copies_have_the_same_loss():
    method, views = build(), batch()
    twin = copy.deepcopy(method)
    other = build(seed=1)
    other.load_state_dict(method.state_dict())
    losses = [m(views, GEOMETRY, TEMPERATURE)[0] for m in (method, twin, other)]
    torch.testing.assert_close(losses[1], losses[0])
    torch.testing.assert_close(losses[2], losses[0])


def test_networks_without_layers_are_refused():
    def vit(is_student):
        return timm.create_model("vit_tiny_patch16_224", num_classes=0, depth=1)

    with pytest.raises(InputError, match="VisionTransformer has no layer2"):
        SCFS.build(SCFSOptions(views=VIEWS), vit)


def test_recipe_of_the_reference():
    options, optimisation = SCFSOptions(), SCFS.optimisation
    assert options.views.global_scale == (0.25, 1.0)
    assert options.views.local_scale == (0.05, 0.25)
    assert (optimisation.optimizer, optimisation.lr, optimisation.min_lr) == ("sgd", 0.1, 0.0048)
    assert optimisation.weight_decay == optimisation.weight_decay_end == 1e-4
    assert optimisation.warmup_teacher_temperature_epochs == 50


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"views": ViewRecipe(local_crops=0)}, "local_crops is 0"),
        ({"views": ViewRecipe(local_size=224)}, "both have 224 pixels"),
        ({"search_hidden": 0}, "search_hidden must be at least 1"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        SCFSOptions(**options)
