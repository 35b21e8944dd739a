"""The kinds of models from other libraries, by what stands before the colon."""

from lowlabel.features.models.libraries.library import Library
from lowlabel.features.models.libraries.transformers_model import TRANSFORMERS

LIBRARIES: dict[str, Library] = {
    "hf": TRANSFORMERS,
}
