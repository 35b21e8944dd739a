"""What transformers says after it loaded weights: nothing may be missing, and what is left out."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lowlabel.datasets.io.lists import first_few
from lowlabel.errors import DataError
from lowlabel.features.models.checkpoints.tensor_names import is_recomputed

_UNUSED = re.compile(r"(^|\.)mask_token$")
_HEADS = re.compile(
    r"(^|\.)((\w+_)?classifier|decoder|pooler|text_model|text_projection|visual_projection"
    r"|logit_scale|logit_bias|mask_token|position_ids)(\.|$)"
)
_MAX_LISTED = 6


def notes_on_loading(module: nn.Module, report: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    """What was left out of a file of weights.

    Args:
        module: The model, whose mask token is set to zero if the file has none.
        report: `output_loading_info` of `from_pretrained`.
        path: The file.

    Raises:
        DataError: If tensors of the network are missing, or others are left over that belong to no
            classifier, decoder, pooler or text tower.
    """
    missing = sorted(n for n in report["missing_keys"] if not _harmless(n))
    other = sorted(str(each) for each in report["mismatched_keys"])
    beyond = sorted(report["unexpected_keys"])
    strange = [n for n in beyond if not _HEADS.search(n) and not is_recomputed(n)]
    if missing or other or strange:
        problems = {"missing": missing, "of another shape": other, "left over": strange}
        told = "; ".join(
            f"{len(names):,} {what}: {first_few(names, _MAX_LISTED)}"
            for what, names in problems.items()
            if names
        )
        raise DataError(
            f"{path} does not hold {type(module).__name__} whole: {told}",
            "Fetch the model again, or save it again with model.save_pretrained(FOLDER).",
        )
    for name, parameter in module.named_parameters():
        if name in report["missing_keys"] and _UNUSED.search(name):
            with torch.no_grad():
                parameter.zero_()
    left = sorted({match[2] for name in beyond if (match := _HEADS.search(name))})
    return (f"left out: {', '.join(left)}",) if left else ()


def _harmless(name: str) -> bool:
    return bool(_UNUSED.search(name)) or is_recomputed(name)
