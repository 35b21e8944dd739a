import pytest
import torch
from torch.nn.functional import normalize

from lowlabel.processes.world import World
from lowlabel.training import RunOptions, Trainer
from lowlabel.training.finetuning.optimizer import factors
from lowlabel.training.finetuning.options import FinetuneOptimisation

ALONE = World(0, 1, torch.device("cpu"))


def trainer_of(plan, folder, **options):
    return Trainer(plan, RunOptions(folder, 0, **options), ALONE)


def gradients(trainer):
    step = trainer.train_step
    step.seed(0)
    step.gradients(0, next(trainer.batches()))
    named = {f"model.{name}": p for name, p in step.model.named_parameters()}
    named |= {f"loss.{name}": p for name, p in step.loss.named_parameters()}
    return {name: p.grad.clone() for name, p in named.items() if p.grad is not None}


@pytest.mark.parametrize("loss", ["margin", "proxy-nca", "multi-similarity"])
def test_the_gradient_is_that_of_the_plain_loop(make_plan, tmp_path, loss):
    """The plain loop embeds the batch, takes the loss and calls backward."""
    trainer = trainer_of(make_plan(loss=loss), tmp_path)
    found, step = gradients(trainer), trainer.train_step
    step.model.zero_grad()
    step.loss.zero_grad()
    (part,) = next(trainer.batches())
    embeddings = step.model(step.normalise(part.views[0]))
    torch.testing.assert_close(embeddings, normalize(embeddings))
    labels = torch.from_numpy(trainer.plan.images.labels[list(part.rows)])
    torch.manual_seed(2**31)
    step.loss(embeddings, labels).backward()
    for name, parameter in step.model.named_parameters():
        torch.testing.assert_close(found[f"model.{name}"], parameter.grad, rtol=1e-4, atol=1e-6)
    for name, parameter in step.loss.named_parameters():
        torch.testing.assert_close(found[f"loss.{name}"], parameter.grad, rtol=1e-4, atol=1e-6)


def test_a_batch_in_parts_has_the_gradient_of_the_whole(make_plan, tmp_path):
    whole, parts = (
        gradients(trainer_of(make_plan(), tmp_path / str(n), accumulate=n)) for n in (1, 4)
    )
    assert whole.keys() == parts.keys()
    for name, gradient in whole.items():
        torch.testing.assert_close(parts[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


def test_backbone_head_and_loss_learn_at_their_own_rates(make_plan, tmp_path):
    plan = make_plan("head_lr=0.02", "loss_lr=0.3", "lr=0.001", "optimizer=sgd", "weight_decay=0")
    trainer = trainer_of(plan, tmp_path)
    step = trainer.train_step
    before = [p.detach().clone() for p in _one_of_each(step)]
    step(0, next(trainer.batches()))
    for rate, parameter, old in zip((0.001, 0.02, 0.3), _one_of_each(step), before, strict=True):
        torch.testing.assert_close(parameter.detach(), old - rate * parameter.grad)
        assert parameter.grad.abs().sum() > 0


def _one_of_each(step):
    head = step.model.embedding_head.layers[0].weight
    return step.model.backbone.module.blocks[0].attn.qkv.weight, head, step.loss.loss.beta


def test_the_warm_up_rises_to_the_rate_and_the_cosine_falls(make_plan, tmp_path):
    plan = make_plan("warmup_epochs=1", "schedule=cosine", "lr=0.1", epochs=3)
    step = trainer_of(plan, tmp_path).train_step
    rates = [step.rates(n)["lr"] for n in range(plan.steps)]
    per_epoch = plan.steps_per_epoch
    expected = [0.1 * (n + 1) / per_epoch for n in range(per_epoch)]
    assert rates[:per_epoch] == pytest.approx(expected)
    assert rates[per_epoch] == pytest.approx(0.1)
    assert all(a > b > 0 for a, b in zip(rates[per_epoch:], rates[per_epoch + 1 :], strict=False))
    constant = trainer_of(make_plan("lr=0.1"), tmp_path / "constant").train_step
    assert {constant.rates(n)["lr"] for n in range(8)} == {0.1}


def test_the_first_epochs_can_tune_head_and_loss_alone(make_plan, tmp_path):
    trainer = trainer_of(make_plan("freeze_backbone_epochs=1"), tmp_path)
    step = trainer.train_step
    start = [p.detach().clone() for p in _one_of_each(step)]
    moved = []
    for number, parts in enumerate(trainer.batches()):
        step(number, parts)
        now = _one_of_each(step)
        moved.append([not torch.equal(p, old) for p, old in zip(now, start, strict=True)])
    first = trainer.plan.steps_per_epoch
    assert all(m == [False, True, True] for m in moved[1:first])
    assert all(m == [True, True, True] for m in moved[first:])


def test_a_replaced_image_has_its_own_label(make_plan, tmp_path):
    """An unreadable image is replaced by another, perhaps of another class."""
    trainer = trainer_of(make_plan(), tmp_path)
    (part,) = next(trainer.batches())
    seen = []
    step = trainer.train_step
    step.loss.register_forward_pre_hook(lambda module, given: seen.append(given[1].tolist()))
    other = part._replace(rows=tuple(reversed(part.rows)))
    for each in (part, other):
        step.gradients(0, [each])
    labels = trainer.plan.images.labels
    assert seen == [labels[list(each.rows)].tolist() for each in (part, other)]


def test_the_step_schedule_is_that_of_torch():
    optimisation = FinetuneOptimisation(schedule="step", decay_every=2, decay=0.5)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    expected = []
    for _ in range(5):
        expected += [optimizer.param_groups[0]["lr"]] * 3
        optimizer.step()
        scheduler.step()
    assert factors(optimisation, 15, 3).tolist() == expected
