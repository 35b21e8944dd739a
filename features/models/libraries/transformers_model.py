"""`hf:OWNER/NAME|FOLDER`: a vision model of Hugging Face transformers with its image processor.

Code of the model's repository never runs, and weights are safetensors or read with `weights_only`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from lowlabel.errors import InputError
from lowlabel.features.models.checkpoints.torch_check import check_torch_file
from lowlabel.features.models.libraries.configuration import (
    configuration_identity,
    family_of,
    read_configuration,
)
from lowlabel.features.models.libraries.families import PROJECTED, Family
from lowlabel.features.models.libraries.hub_files import (
    CONFIG,
    check_folder,
    model_folder,
    weights_file,
)
from lowlabel.features.models.libraries.hub_names import hub_alias_of, hub_data
from lowlabel.features.models.libraries.library import Library, check_known, require, sized
from lowlabel.features.models.libraries.loading_report import notes_on_loading
from lowlabel.features.models.libraries.processors import processor_transform
from lowlabel.features.models.libraries.transformers_encoder import TransformersEncoder
from lowlabel.features.models.option_limits import check_memory
from lowlabel.features.models.source import Source, canonical_spec, take_pretraining
from lowlabel.features.transforms import ImageTransform
from lowlabel.reading import reading
from lowlabel.specs import parse_spec

_OPTIONS = ("pretrained_on", "projection", "revision")


def check(rest: str) -> None:
    """Checks what can be known of `hf:REST` before it is loaded."""
    name, options = parse_spec(rest)
    check_known(f"hf:{name}", options, _OPTIONS)
    take_pretraining(options)
    require("transformers", "huggingface")
    check_folder("hf", name)


def open_model(rest: str, resolution: int | None, any_size: bool) -> Source:
    """Loads `hf:REST`; see `Library.open`."""
    check(rest)
    name, options = parse_spec(rest)
    seen = take_pretraining(options) or hub_data(name)
    revision, projected = options.get("revision"), bool(options.get("projection", False))
    folder = model_folder("hf", name, None if revision is None else str(revision))
    with _quietly():
        config = read_configuration(folder)
        family = family_of(config, folder, projected)
        module, notes = _load(folder, config, family, projected)
        transform = _transform(folder)
    encoder = TransformersEncoder(module, family, projected=projected)
    source = Source(
        name if "/" in name and not Path(name).is_dir() else folder.name,
        canonical_spec("hf", config.model_type, configuration_identity(folder, projected), None),
        encoder,
        transform,
        "head" if projected else None,
        seen,
        notes=notes,
        identities=hub_alias_of(name),
    )
    source = sized(source, resolution)
    if encoder.resampled(*source.transform.blank):
        more = "position embeddings are resampled as transformers does"
        return replace(source, notes=(*notes, more))
    return source


def _load(
    folder: Path, config: Any, family: Family, projected: bool
) -> tuple[nn.Module, tuple[str, ...]]:
    """Loads the weights whole.

    Raises:
        DataError: If they are damaged, or do not fit the configuration.
        InputError: If the network does not fit in memory.
    """
    import transformers

    kind = getattr(transformers, PROJECTED if projected else family.model, None)
    if kind is None:
        raise InputError(
            f"transformers {transformers.__version__} has no {family.model}",
            "pip install --upgrade 'lowlabel[huggingface]'",
        )
    arguments = {} if projected else family.arguments
    _check_size(kind, config, arguments, folder / CONFIG)
    path = weights_file(folder)
    assert path is not None  # the folder was checked
    problem = f"{path} does not hold the weights of {family.model}"
    with reading(path, problem, "Fetch the model again.", (SafetensorError,)):
        if path.suffix == ".bin":
            check_torch_file(path)
        module, report = kind.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=path.suffix != ".bin",
            weights_only=True,
            dtype=torch.float32,
            output_loading_info=True,
            **arguments,
        )
    return module.eval(), notes_on_loading(module, report, path)


def _check_size(kind: Any, config: Any, arguments: Mapping[str, Any], path: Path) -> None:
    """Refuses a network that does not fit in memory; nothing is allocated."""
    fix = f"Check {path}."
    with reading(path, f"transformers cannot make the network of {path}", fix):
        with torch.device("meta"):
            module = kind(config, **arguments)
        check_memory(f"the network of {path}", module, fix)


def _transform(folder: Path) -> ImageTransform:
    from transformers import AutoImageProcessor

    path = folder / "preprocessor_config.json"
    fix = (
        "Save it beside the model: AutoImageProcessor.from_pretrained(NAME).save_pretrained"
        f"({str(folder)!r}), which writes {path.name}"
    )
    problem = f"{folder} holds no image processor that transformers reads"
    with reading(path, problem, fix, (Exception,)):  # its checks have no common base
        processor = AutoImageProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        return processor_transform(processor, folder)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keeps bars and reports of transformers out of the output; lowlabel says what matters."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


TRANSFORMERS = Library(
    "hf:OWNER/NAME|FOLDER",
    "vision models of Hugging Face transformers (pip install 'lowlabel[huggingface]')",
    check,
    open_model,
)
