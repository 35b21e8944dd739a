"""The kinds of models from other libraries, by what stands before the colon."""

from lowlabel.features.models.libraries.library import Library
from lowlabel.features.models.libraries.onnx_model import ONNX
from lowlabel.features.models.libraries.open_clip_model import OPEN_CLIP
from lowlabel.features.models.libraries.python_file import PYTHON_FILE
from lowlabel.features.models.libraries.timm_hub import TIMM_HUB
from lowlabel.features.models.libraries.transformers_model import TRANSFORMERS

LIBRARIES: dict[str, Library] = {
    "hf": TRANSFORMERS,
    "hf-hub": TIMM_HUB,
    "onnx": ONNX,
    "open_clip": OPEN_CLIP,
    "python": PYTHON_FILE,
}
