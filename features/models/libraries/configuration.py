"""The configuration of a model of Hugging Face transformers: its family, sizes and identity."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lowlabel.errors import DataError, InputError
from lowlabel.features.models.libraries.families import FAMILIES, Family
from lowlabel.features.models.libraries.hub_files import CONFIG
from lowlabel.features.models.option_limits import check_options
from lowlabel.reading import reading
from lowlabel.specs import Option, json_sha256

_NOT_OF_FEATURES = {  # of config.json: names, training, and what `model_type` says
    *("_name_or_path", "architectures", "auto_map", "dtype", "id2label", "initializer_range"),
    *("label2id", "model_type", "num_labels", "problem_type", "torch_dtype"),
    "transformers_version",
}
_DIGITS = 16
_TOWERS = ("vision", "text")
_MOST_BYTES = 16 << 20


def read_configuration(folder: Path) -> Any:
    """The configuration of the vision tower.

    Raises:
        DataError: If it is damaged, or of a model that transformers does not have.
    """
    from transformers import AutoConfig

    path = folder / CONFIG
    _check_numbers(path)
    fix = "Save it again: model.save_pretrained(FOLDER)"
    problem = f"{path} is not the configuration of a model"
    with reading(path, problem, fix, (Exception,)):  # transformers' checks have no common base
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    vision = getattr(config, "vision_config", None)
    if vision is None:
        return config
    vision.projection_dim = getattr(config, "projection_dim", None)
    return vision


def family_of(config: Any, folder: Path, projected: bool) -> Family:
    """How the model gives features.

    Raises:
        DataError: If its family is not known here.
        InputError: If it has no projection, and one is asked for.
    """
    family = FAMILIES.get(config.model_type)
    if config.model_type == "timm_wrapper":
        raise DataError(
            f"{folder} holds a model of timm, which hf: does not read", f"Write hf-hub:{folder}"
        )
    if family is None:
        raise DataError(
            f"{folder} holds a model of the family {config.model_type!r}, which hf: does not read",
            f"Known: {', '.join(FAMILIES)}. Bring others as python:FILE.py:FUNCTION.",
        )
    if projected and family.model != "CLIPVisionModel":
        raise InputError(
            f"projection=True is of CLIP, and {folder} holds {config.model_type}",
            "Leave projection out.",
        )
    return family


def configuration_identity(folder: Path, projected: bool) -> dict[str, Option]:
    """What of a model's configuration is in its name: all that its weights do not tell."""
    given = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    vision: Mapping[str, Any] = given.get("vision_config") or given
    facts = {key: value for key, value in vision.items() if key not in _NOT_OF_FEATURES}
    return {"config": json_sha256(facts)[:_DIGITS], **({"projection": True} if projected else {})}


def _check_numbers(path: Path) -> None:
    """Refuses sizes that transformers would loop over or allocate, before it reads them."""
    with reading(path, f"{path} is not the configuration of a model"):
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has {path.stat().st_size:,} bytes")
        given = json.loads(path.read_text(encoding="utf-8"))
        for facts in (given, *(given.get(f"{tower}_config") or {} for tower in _TOWERS)):
            numbers: dict[str, Option] = {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in facts.items()
                if isinstance(value, int | list)
            }
            check_options(str(given.get("model_type")), numbers)
