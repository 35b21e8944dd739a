import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from lowlabel.errors import InputError
from lowlabel.features import load_backbone
from lowlabel.training import RunOptions
from lowlabel.training.finetuning import finetune, model
from lowlabel.training.finetuning.model import leave_out_unused

RESNET = "random:resnet10t,seed=1"


def test_frozen_blocks_and_what_lies_before_them_do_not_change(make_plan, tmp_path):
    plan = make_plan(freeze_blocks=1, epochs=1, validation=0)
    before = plan.base.encoder.module.state_dict()
    after = load_file(finetune(plan, RunOptions(tmp_path, 0), "cpu"))
    same = {name: torch.equal(before[name], after[name]) for name in before}
    frozen = ("cls_token", "pos_embed", "patch_embed.", "blocks.0.")
    assert same == {name: name.startswith(frozen) for name in before}


def test_the_card_says_whether_the_whole_network_was_tuned(make_plan):
    assert make_plan().card()["tuned"] == "all"
    assert make_plan(lora=2).card()["tuned"] == "adapters"
    assert make_plan(freeze_blocks=1).card()["tuned"] == "part"
    assert make_plan("freeze_backbone_epochs=1").card()["tuned"] == "all"
    assert make_plan("freeze_backbone_epochs=2").card()["tuned"] == "part"


def test_adapters_are_tuned_and_added_to_the_weights(make_plan, tmp_path):
    plan = make_plan(lora=2, epochs=1, validation=0)
    model = plan.build_model()
    trained = {n for n, p in model.backbone.named_parameters() if p.requires_grad}
    assert trained
    assert all(name.endswith((".up", ".down")) for name in trained)
    before = plan.base.encoder.module.state_dict()
    after = load_file(finetune(plan, RunOptions(tmp_path, 0), "cpu"))
    assert {n for n in after if not n.startswith("embedding_head.")} == before.keys()
    for name, weight in before.items():
        change = after[name] - weight
        if name.startswith("blocks.") and weight.ndim == 2:
            assert 1 <= torch.linalg.matrix_rank(change, rtol=1e-3) <= 2
        else:
            assert not change.any(), name


def test_the_exported_adapters_embed_as_the_tuned_network(make_plan):
    model = make_plan(lora=2).build_model()
    for name, parameter in model.named_parameters():
        if name.endswith(".up"):
            nn.init.normal_(parameter, std=0.1)
    merged = make_plan().build_model()
    tensors = model.exported()
    own = merged.backbone.module.state_dict()
    merged.backbone.module.load_state_dict({name: tensors[name] for name in own})
    images = torch.randn(3, 3, 16, 16)
    features = [m.eval().features(images) for m in (model, merged)]
    torch.testing.assert_close(*features, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_batch_norm_keeps_its_statistics(make_plan, tmp_path, frozen):
    settings = (f"freeze_batch_norm={frozen}",)
    plan = make_plan(*settings, model=RESNET, resolution=32, epochs=1, validation=0)
    before = plan.base.encoder.module.state_dict()
    after = load_file(finetune(plan, RunOptions(tmp_path, 0), "cpu"))
    means = [name for name in before if name.endswith("running_mean")]
    assert means
    assert all(torch.equal(before[name], after[name]) is frozen for name in means)
    assert not torch.equal(before["bn1.weight"], after["bn1.weight"])


def test_the_head_can_be_left_out(make_plan, tmp_path):
    plan = make_plan(head_layers=0, dimension=None, epochs=1)
    path = finetune(plan, RunOptions(tmp_path, 0), "cpu")
    assert plan.head.dimension == 32
    blank = torch.zeros(2, 16, 16, 3, dtype=torch.uint8)
    assert load_backbone(str(path), device="cpu").embed(blank).shape == (2, 32)


def test_parameters_that_the_embeddings_do_not_need_are_left_out(make_plan):
    siglip = "random:vit_base_patch16_siglip_224,img_size=16,patch_size=8,depth=1"
    plan = make_plan(model=f"{siglip},embed_dim=32,num_heads=2", pooling="mean")
    model = plan.build_model()
    leave_out_unused(model, 16, torch.device("cpu"))
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen
    assert all(".attn_pool." in name for name in frozen)
    assert all(p.requires_grad for n, p in model.named_parameters() if ".attn_pool." not in n)


def test_a_head_that_does_not_fit_in_memory_is_refused(make_plan, monkeypatch):
    monkeypatch.setattr(model, "physical_memory", lambda: 2**32)
    with pytest.raises(InputError, match=r"16,000,000 dimensions needs 9.1 GiB of memory"):
        make_plan(dimension=16_000_000)  # on 32, with 6 classes
    assert make_plan(dimension=1_000_000).head.dimension == 1_000_000


def test_impossible_networks_are_refused(make_plan):
    with pytest.raises(InputError, match="cannot freeze 5 blocks of a network that has 2"):
        make_plan(freeze_blocks=5).build_model()
    with pytest.raises(InputError, match="nothing is left to tune"):
        make_plan(freeze_blocks=2, head_layers=0, dimension=None).build_model()
    with pytest.raises(InputError, match="larger than the weights, whose rank is at most 32"):
        make_plan(lora=33).build_model()
    with pytest.raises(InputError, match="no linear layers to adapt"):
        make_plan(model=RESNET, resolution=32, lora=4).build_model()
    with pytest.raises(InputError, match="has no parameters"):
        make_plan(model="pixels")
