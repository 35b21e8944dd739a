import copy
import math

import numpy as np
import pytest
import timm
import torch

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.training.methods.patch_matching import MATCHINGS
from lowlabel.training.methods.pw_self import PWSelf, PWSelfOptions
from lowlabel.training.views.draws import draw_crop
from lowlabel.training.views.geometry import geometry_tensor
from lowlabel.training.views.recipe import ViewRecipe

VIEWS = ViewRecipe(global_size=32, local_size=16, local_crops=3, resize=48, shared_geometry=True)
PATCH, BATCH, TEMPERATURE = 8, 3, 0.05


def make_backbone(is_student=False, name="vit_tiny_patch16_224", **options):
    sizes = {"img_size": 32, "patch_size": PATCH, "embed_dim": 12, "depth": 2, "num_heads": 2}
    return timm.create_model(name, num_classes=0, dynamic_img_size=True, **{**sizes, **options})


def build(seed=0, **options):
    torch.manual_seed(seed)
    small = {"prototypes": 11, "hidden": 16, "bottleneck": 6, "views": VIEWS}
    method = PWSelf.build(PWSelfOptions(**{**small, **options}), make_backbone)
    with torch.no_grad():  # the teacher differs from the student, positions from one another
        for parameter in method.teacher.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        method.centre.value.normal_(std=0.2)
    return method


def batch(seed=0, shared=False):
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    views = [torch.randn(BATCH, 3, size, size) for size in VIEWS.sizes]
    geometry = [
        geometry_tensor(
            [
                draw_crop(random, (48, 48), scale, (3 / 4, 4 / 3), size, 0.5)
                for scale, size in zip([(0.2, 1)] * 2 + [(0.05, 0.2)] * 3, VIEWS.sizes, strict=True)
            ]
        )
        for _ in range(BATCH)
    ]
    return views, torch.stack([geometry[0]] * BATCH if shared else geometry)


def expected_loss(method, views, geometry):
    """The loss by loops over pairs, images and tokens, in float64."""
    options = method.options
    with torch.no_grad():
        student = [x.double().numpy() for x in method.student(views)[0]]
        teacher = [x.double().numpy() for x in method.teacher(views[:2])[0]]
    centre = method.centre.value.double().numpy()[0]

    def cross_entropy(t, v, image, i, j):
        logits = (teacher[t][image, i] - centre[i]) / TEMPERATURE
        q = np.exp(logits - logits.max())
        z = student[v][image, j] / 0.1
        log_p = z - z.max() - math.log(np.exp(z - z.max()).sum())
        return -float(q / q.sum() @ log_p)

    pairs = []
    for t in range(2):
        for v in range(len(views)):
            if v == t:
                continue
            matches = MATCHINGS[options.matching](geometry[:, v], geometry[:, t], PATCH)
            cls = [cross_entropy(t, v, image, 0, 0) for image in range(BATCH)]
            patches = [
                cross_entropy(t, v, image, int(b) + 1, int(a) + 1)
                for image in range(BATCH)
                for a, b, held in zip(
                    matches.a[image], matches.b[image], matches.mask[image], strict=True
                )
                if held
            ]
            if options.cls_weight is None or not patches:
                pairs.append(np.mean(cls + patches))
            else:
                share = options.cls_weight
                pairs.append(share * np.mean(cls) + (1 - share) * np.mean(patches))
    assert len(pairs) == 2 + 2 * 3
    return np.mean(pairs)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("cls_weight", [None, 0.9])
@pytest.mark.parametrize("matching", MATCHINGS)
def test_loss_equals_loops(matching, cls_weight, shared):
    method = build(matching=matching, cls_weight=cls_weight)
    views, geometry = batch(shared=shared)
    expected = expected_loss(method, views, geometry)
    loss, logs = method(views, geometry, TEMPERATURE)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
    assert 0 < logs["teacher_entropy"] <= method.largest_entropy == math.log(11)
    assert logs["feature_std"] > 0


@pytest.mark.parametrize("cls_weight", [None, 0.9])
def test_disjoint_views_compare_only_the_cls_tokens(cls_weight):
    method = build(cls_weight=cls_weight)
    views, geometry = batch()
    geometry[:, :, 2:4] = 9
    geometry[:, :, 0] = 0
    geometry[:, :, 1] = torch.arange(5) * 9
    expected = expected_loss(method, views, geometry)
    assert float(method(views, geometry, TEMPERATURE)[0].detach()) == pytest.approx(
        expected, rel=1e-5
    )


def test_uniform_outputs_give_ln_k():
    method = build()
    method.centre.value.zero_()
    for model in (method.student, method.teacher):
        for parameter in model.head.mlp[-1].parameters():
            torch.nn.init.zeros_(parameter)
    loss, logs = method(*batch(), TEMPERATURE)
    assert float(loss.detach()) == pytest.approx(method.uniform_loss, rel=1e-6)
    assert float(logs["teacher_entropy"]) == pytest.approx(math.log(11), rel=1e-6)


def test_only_the_student_has_gradients():
    method = build()
    loss, _ = method(*batch(), TEMPERATURE)
    loss.backward()
    trained = [p for p in method.student.parameters() if p.requires_grad]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained)
    assert sum(float(p.grad.abs().sum()) for p in trained) > 0
    assert all(p.grad is None for p in method.teacher.parameters())


def test_each_position_has_a_centre():
    method = build()
    views, geometry = batch()
    before = method.centre.value.clone()
    method(views, geometry, TEMPERATURE)
    with torch.no_grad():
        first, second = method.teacher(views[:2])[0]
    mean = torch.cat([first, second]).mean(0)
    torch.testing.assert_close(method.centre.value, 0.9 * before + 0.1 * mean)
    assert method.centre.value.shape == (1, 4 * 4 + 1, 11)


def test_copies_have_the_same_loss():
    method = build()
    views, geometry = batch()
    twin = copy.deepcopy(method)
    torch.testing.assert_close(twin(views, geometry, 0.04)[0], method(views, geometry, 0.04)[0])
    other = build(seed=1)
    other.load_state_dict(method.state_dict())
    torch.testing.assert_close(other(views, geometry, 0.04)[0], method(views, geometry, 0.04)[0])


def test_half_precision_agrees():
    method = build()
    views, geometry = batch()
    full = float(copy.deepcopy(method)(views, geometry, TEMPERATURE)[0].detach())
    with torch.autocast("cpu", torch.bfloat16):
        half, _ = method(views, geometry, TEMPERATURE)
    assert half.dtype == torch.float32
    assert float(half.detach()) == pytest.approx(full, rel=0.02)


def test_registers_are_ignored():
    def with_registers(is_student):
        return make_backbone(name="vit_small_patch14_reg4_dinov2", init_values=1.0)

    options = PWSelfOptions(prototypes=11, hidden=16, bottleneck=6, views=VIEWS)
    method = PWSelf.build(options, with_registers)
    logits, features = method.student(batch()[0])
    assert [x.shape[1] for x in logits] == [17, 17, 5, 5, 5]
    assert features.shape == (5 * BATCH, 12)
    assert math.isfinite(float(method(*batch(), TEMPERATURE)[0].detach()))


@pytest.mark.parametrize("name", ["resnet18", "swin_tiny_patch4_window7_224"])
def test_networks_without_tokens_are_refused(name):
    def make(is_student):
        with torch.device("meta"):
            return timm.create_model(name, num_classes=0)

    with pytest.raises(InputError, match="no CLS token and patch tokens"):
        PWSelf.build(PWSelfOptions(views=VIEWS), make)


def test_views_that_are_no_multiple_of_the_patch_are_refused():
    views = ViewRecipe(global_size=32, local_size=20)
    with pytest.raises(InputError, match=r"20 pixels .* patches of 8\n.*16 or 24"):
        PWSelf.build(PWSelfOptions(views=views), make_backbone)


def test_defaults_and_bad_options():
    options = PWSelfOptions()
    assert (options.prototypes, options.matching, options.cls_weight) == (
        10_000,
        "containing",
        None,
    )
    assert (options.views.resize, options.views.shared_geometry) == (256, True)
    with pytest.raises(UnknownNameError, match="nearest"):
        PWSelfOptions(matching="nearest")
    with pytest.raises(InputError, match="cls_weight"):
        PWSelfOptions(cls_weight=1.5)
