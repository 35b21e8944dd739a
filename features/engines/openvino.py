"""OpenVINO: a network traced by torch and compiled, with its normalisation, for the CPU."""

import copy
import sys
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lowlabel.errors import InputError
from lowlabel.features.backbone import Backbone
from lowlabel.features.models.embedding_head import pooled_features

if TYPE_CHECKING:
    from lowlabel.features.models.encoders import Encoder

_TRACED, _TRIED = 2, 3  # images, so that a traced batch that stays fixed is found
_AGREEMENT = {"float32": 1e-4, "bfloat16": 5e-2}  # largest difference relative to the norm
_PRECISION = {"float32": "f32", "bfloat16": "bf16"}


class OpenVINOForward:
    """The forward pass of a network in OpenVINO.

    Attributes:
        name: Name in records: "OpenVINO 2026.4.1".
    """

    def __init__(self, name: str, compiled: Any) -> None:
        self.name = name
        self._compiled = compiled

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Computes the features [B, D], float32, of decoded images uint8 [B, H, W, 3]."""
        found = self._compiled([pixels.contiguous().numpy()], share_inputs=True)[0]
        return torch.from_numpy(found).float()


def convert(backbone: Backbone) -> OpenVINOForward:
    """Converts a backbone's network with its pooling and compares both on random images.

    That stands for the tracer's own check, which takes half of the conversion's time.

    Raises:
        InputError: If OpenVINO cannot convert it, or gives other features.
    """
    openvino = _import()
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    height, width = backbone.transform.blank
    pixels = torch.randint(
        256, (_TRIED, height, width, 3), dtype=torch.uint8, generator=torch.Generator()
    )
    network = _Pooled(copy.deepcopy(backbone.encoder), backbone.pooling).eval().float()
    images = backbone.network_input(pixels).float()
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, about shapes that become constants
            traced = TorchScriptPythonDecoder(
                network, example_input=images[:_TRACED], trace_kwargs={"check_trace": False}
            )
            model = openvino.convert_model(traced, input=[-1, 3, height, width])
            settings = {
                "INFERENCE_PRECISION_HINT": _PRECISION[backbone.dtype],
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                "PERFORMANCE_HINT": "LATENCY",
                "ENABLE_CPU_PINNING": False,  # processes side by side would share the first cores
            }
            compiled = _core().compile_model(_normalising(model, backbone), "CPU", settings)
        forward = OpenVINOForward(f"OpenVINO {openvino.__version__.partition('-')[0]}", compiled)
        found = forward(pixels)
    except Exception as error:  # OpenVINO raises what its plugins and torch's tracer raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"OpenVINO cannot convert it ({reason})", "Use --engine torch.") from error
    _check(backbone, pixels, found)
    return forward


def _normalising(model: Any, backbone: Backbone) -> Any:
    """The network with the normalisation of its images as its first step, which takes no time."""
    from openvino import Layout, Type
    from openvino.preprocess import PrePostProcessor

    transform = backbone.transform
    stages = PrePostProcessor(model)
    stages.input().tensor().set_element_type(Type.u8).set_layout(Layout("NHWC"))
    stages.input().model().set_layout(Layout("NCHW"))
    stages.input().preprocess().convert_element_type(Type.f32).mean(
        [255 * mean for mean in transform.mean]
    ).scale([255 * std for std in transform.std])
    return stages.build()


def _check(backbone: Backbone, pixels: torch.Tensor, found: torch.Tensor) -> None:
    """Raises an `InputError` unless the features are those of torch."""
    wanted = backbone.embed(pixels)
    if found.shape != wanted.shape:
        raise InputError(
            f"OpenVINO gives features {tuple(found.shape)}, torch {tuple(wanted.shape)}",
            "Use --engine torch.",
        )
    difference = float(((found - wanted).norm(dim=1) / wanted.norm(dim=1)).max())
    if not difference <= _AGREEMENT[backbone.dtype]:
        raise InputError(
            f"OpenVINO's features differ from torch's by {difference:.1e} of their norm",
            "Use --engine torch.",
        )


class _Pooled(nn.Module):
    """A network with its pooling as one module, which can be traced."""

    def __init__(self, encoder: "Encoder", pooling: str) -> None:
        super().__init__()
        self.encoder, self.pooling = encoder, pooling

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return pooled_features(self.encoder, images, self.pooling)


@cache
def _core() -> Any:
    """OpenVINO's core, which lives as long as the process.

    The CPU plugin of each core gives the thread a stack for signals, and takes it away at its end
    even where a later core's plugin counts on it: after two models, Ctrl-C would crash the process.
    """
    return _import().Core()


def _import() -> Any:
    """Imports OpenVINO without its telemetry, which would open a connection at import."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino
