"""`onnx:` models give the features of the same network in torch."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from lowlabel.datasets import open_dataset
from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.features import (
    ExtractionOptions,
    FeatureKey,
    check_model,
    extract_features,
    load_backbone,
)
from lowlabel.features.engines import with_engine

PIXELS = torch.randint(0, 256, (5, 32, 32, 3), dtype=torch.uint8)


@pytest.fixture
def conv():
    torch.manual_seed(0)
    return nn.Conv2d(3, 6, 8, stride=8)


def saved(path: Path, conv: nn.Conv2d, *, batch="N", side=32, outputs=("features",), nhwc=False):
    """A convolution by patches, as a map, as tokens, and pooled."""
    tensors = [
        numpy_helper.from_array(conv.weight.detach().numpy(), "weight"),
        numpy_helper.from_array(conv.bias.detach().numpy(), "bias"),
        numpy_helper.from_array(np.array([0, 6, -1]), "flat"),
    ]
    first = "channels_first" if nhwc else "images"
    nodes = [
        helper.make_node("Conv", [first, "weight", "bias"], ["map"], strides=[8, 8]),
        helper.make_node("Reshape", ["map", "flat"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["tokens"], perm=[0, 2, 1]),
        helper.make_node("GlobalAveragePool", ["map"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
    ]
    if nhwc:
        turn = helper.make_node("Transpose", ["images"], [first], perm=[0, 3, 1, 2])
        nodes.insert(0, turn)
    shape = [batch, side, side, 3] if nhwc else [batch, 3, side, side]
    dimensions = {"map": 4, "tokens": 3, "pooled": 4, "features": 2}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info(
                name, TensorProto.FLOAT, [batch, *(f"d{n}" for n in range(1, dimensions[name]))]
            )
            for name in outputs
        ],
        tensors,
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=9), path)
    return path


@pytest.mark.parametrize("batch", ["N", 1, 2])
@pytest.mark.parametrize("nhwc", [False, True])
def test_features_are_those_of_torch(tmp_path, conv, batch, nhwc):
    path = saved(tmp_path / "tiny.onnx", conv, batch=batch, nhwc=nhwc)
    backbone = load_backbone(f"onnx:{path}")
    given = backbone.transform.normalise(PIXELS, torch.float32)
    expected = conv(given).mean((2, 3))
    torch.testing.assert_close(backbone.embed(PIXELS), expected.detach(), atol=1e-5, rtol=1e-5)
    assert (backbone.transform.resize, backbone.transform.crop) == (37, 32)
    assert (backbone.name, backbone.pooling) == ("tiny", "head")
    assert backbone.engine.startswith("onnxruntime ")


def test_an_output_is_chosen_and_pooled(tmp_path, conv):
    every = ("features", "map", "tokens", "pooled")
    path = saved(tmp_path / "tiny.onnx", conv, outputs=every)
    with pytest.raises(InputError, match="has 4 outputs: features "):
        check_model(f"onnx:{path}")
    with pytest.raises(UnknownNameError, match="Did you mean tokens"):
        check_model(f"onnx:{path},output=token")
    expected = load_backbone(f"onnx:{path},output=features").embed(PIXELS)
    for output, pooling in (("pooled", None), ("map", "mean"), ("tokens", "mean")):
        backbone = load_backbone(f"onnx:{path},output={output}", pooling=pooling)
        torch.testing.assert_close(backbone.embed(PIXELS), expected, atol=1e-5, rtol=1e-5)
    with pytest.raises(InputError, match="not one vector per image"):
        load_backbone(f"onnx:{path},output=tokens")
    with pytest.raises(InputError, match="no tokens to pool"):
        load_backbone(f"onnx:{path},output=features", pooling="mean")
    with pytest.raises(InputError, match="needs a class token"):
        load_backbone(f"onnx:{path},output=tokens", pooling="cls")
    tokens = conv(backbone.transform.normalise(PIXELS, torch.float32)).flatten(2).mT.detach()
    first = load_backbone(f"onnx:{path},output=tokens,before=1", pooling="cls+mean")
    wanted = torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], 1)
    torch.testing.assert_close(first.embed(PIXELS), wanted, atol=1e-5, rtol=1e-5)
    assert first.spec == "onnx:tokens,before=1"


def test_preprocessing_is_given_by_options_and_recorded(tmp_path, conv):
    path = saved(tmp_path / "tiny.onnx", conv)
    transform = load_backbone(f"onnx:{path},mean=0.5,std=(0.1,0.2,0.3)").transform
    assert (transform.mean, transform.std) == ((0.5, 0.5, 0.5), (0.1, 0.2, 0.3))
    with pytest.raises(InputError, match="must be one number or three"):
        check_model(f"onnx:{path},std=0")


def test_the_size_is_the_inputs_or_must_be_named(tmp_path, conv):
    fixed = saved(tmp_path / "fixed.onnx", conv)
    with pytest.raises(InputError, match="takes images of 32×32 pixels alone, not of 48"):
        load_backbone(f"onnx:{fixed}", resolution=48)
    free = saved(tmp_path / "free.onnx", conv, side="S")
    with pytest.raises(InputError, match="takes images of any size"):
        load_backbone(f"onnx:{free}")
    backbone = load_backbone(f"onnx:{free}", resolution=48)
    pixels = torch.randint(0, 256, (2, 48, 48, 3), dtype=torch.uint8)
    expected = conv(backbone.transform.normalise(pixels, torch.float32)).mean((2, 3)).detach()
    torch.testing.assert_close(backbone.embed(pixels), expected, atol=1e-5, rtol=1e-5)


def test_the_key_holds_the_hash_of_the_file_and_its_data(tmp_path, conv, images):
    path = saved(tmp_path / "tiny.onnx", conv)
    first = load_backbone(f"onnx:{path}")
    with torch.no_grad():
        conv.weight[0, 0, 0, 0] += 1
    model = onnx.load(saved(path, conv))
    assert load_backbone(f"onnx:{path}").weights_sha256 != first.weights_sha256
    onnx.save(model, path, save_as_external_data=True, location="tiny.data", size_threshold=100)
    with_data = load_backbone(f"onnx:{path}")
    data = tmp_path / "tiny.data"
    data.write_bytes(bytes(4) + data.read_bytes()[4:])
    changed = load_backbone(f"onnx:{path}")
    assert changed.weights_sha256 != with_data.weights_sha256
    assert FeatureKey.of(changed, images) != FeatureKey.of(with_data, images)


@pytest.mark.parametrize("location", ["../secret", "link"])
def test_data_outside_the_folder_is_refused(tmp_path, conv, location):
    folder = tmp_path / "model"
    folder.mkdir()
    path = saved(folder / "tiny.onnx", conv)
    model = onnx.load(path)
    (tmp_path / "secret").write_bytes(bytes(10_000))
    (folder / "link").symlink_to(tmp_path / "secret")
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match="which is outside its folder"):
        check_model(f"onnx:{path}")


def test_files_that_are_no_models_of_images_are_refused(tmp_path, conv):
    (tmp_path / "text.onnx").write_text("this is no model")
    with pytest.raises(DataError, match="is not an ONNX file"):
        check_model(f"onnx:{tmp_path / 'text.onnx'}")
    with pytest.raises(DataError, match="there is no file"):
        check_model(f"onnx:{tmp_path / 'absent.onnx'}")
    path = saved(tmp_path / "tiny.onnx", conv)
    model = onnx.load(path)
    model.graph.node[0].op_type = "NoSuchOperator"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="onnxruntime cannot load"):
        load_backbone(f"onnx:{path}")
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="does not take one batch of colour images"):
        check_model(f"onnx:{path}")


def test_it_runs_in_its_own_runtime_and_type(tmp_path, conv, image_folder):
    path = saved(tmp_path / "tiny.onnx", conv)
    backbone = load_backbone(f"onnx:{path}")
    with pytest.raises(InputError, match="runs in onnxruntime"):
        with_engine(backbone, "openvino", 1000)
    assert with_engine(backbone, "auto", 1000) is backbone
    with pytest.raises(InputError, match="computes in its own data type"):
        load_backbone(f"onnx:{path}", dtype="bfloat16")
    images = open_dataset(f"folder:{image_folder}").load("novel")
    table = extract_features(backbone, images, ExtractionOptions(batch_size=4))
    read = np.stack([backbone.transform.read(images.root / path) for path in images.paths])
    given = backbone.transform.normalise(torch.from_numpy(read), torch.float32)
    expected = conv(given).mean((2, 3)).detach().numpy()
    np.testing.assert_allclose(table.features, expected, atol=1e-5)
    assert table.engine == backbone.engine
