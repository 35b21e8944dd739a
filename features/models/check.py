"""Whether a model's name can be resolved, without loading anything."""

from lowlabel.datasets import check_pretraining
from lowlabel.errors import DataError, InputError
from lowlabel.features.models.aliases import ALIASES
from lowlabel.features.models.architectures import check_architecture
from lowlabel.features.models.checkpoints.card import read_card
from lowlabel.features.models.checkpoints.checkpoint import read_checkpoint
from lowlabel.features.models.checkpoints.metric_learning import metric_learning
from lowlabel.features.models.checkpoints.recognition import recognise
from lowlabel.features.models.code.trust import require_trust
from lowlabel.features.models.libraries.catalogue import LIBRARIES
from lowlabel.features.models.positions import take_positions
from lowlabel.features.models.pretrained import check_published
from lowlabel.features.models.shipped import SHIPPED_MODELS
from lowlabel.features.models.sources import alias_options, unknown_model
from lowlabel.features.models.tuned import EMBEDDING, take_head
from lowlabel.features.models.weights_source import arch_spec, named_file
from lowlabel.paths import expanded
from lowlabel.reading import reading
from lowlabel.specs import parse_spec


def check_model(spec: str) -> None:
    """Checks what can be known of a model before it is loaded: names, forms, files.

    Raises:
        UnknownNameError: If the name is not known, with the nearest ones.
        InputError: If timm has no such architecture or weights, or the form is incomplete.
        DataError: If there is no such file.
    """
    kind, _, rest = spec.partition(":")
    if spec == "pixels" or spec in SHIPPED_MODELS:
        return
    if spec.partition(",")[0] in ALIASES:
        take_positions(alias_options(spec)[1])
        return
    if kind == "timm" and rest:
        check_published(_architecture(rest))
    elif kind == "random" and rest:
        check_architecture(_architecture(rest))
    elif kind == "hub" and rest:
        if ":" not in rest:
            raise InputError(f"{spec} names no entry point", "A hub model is hub:REPO:ENTRY.")
        repository, _, entry = rest.rpartition(":")
        _architecture(entry)
        _check_hub_folder(repository)
        require_trust(repository)
    elif kind in LIBRARIES and rest:
        LIBRARIES[kind].check(rest)
    elif named := named_file(spec):
        path, arch = named
        if not path.is_file():
            raise DataError(
                f"there is no weights file {path}", "Check the path given with --model."
            )
        if name := _architecture(arch_spec(arch)):
            check_architecture(name)
    else:
        raise unknown_model(spec)


def _check_hub_folder(repository: str) -> None:
    """Checks a repository that can only be a folder of this machine."""
    folder = expanded(repository)
    is_path = folder.is_absolute() or repository.startswith(".") or folder.is_dir()
    if is_path and not (folder / "hubconf.py").is_file():
        raise DataError(
            f"there is no {folder / 'hubconf.py'}", "Check the folder given with --model hub:…"
        )


def check_weights(spec: str) -> None:
    """Checks what a weights file tells without its tensors' values; does nothing for other models.

    Raises:
        DataError: If it is no weights file.
        InputError: If it has no such state dict, or its architecture must be named.
    """
    named = None if spec.partition(":")[0] in LIBRARIES else named_file(spec)
    if named is None:
        return
    path = named[0]
    name, options = parse_spec(arch_spec(named[1]))
    branch = options.get("checkpoint_key")
    checkpoint = read_checkpoint(path, None if branch is None else str(branch), shapes_only=True)
    wanted = take_head(options) == EMBEDDING
    if name or read_card(path) is not None:
        return
    problem = f"{path} has tensors of other shapes than the network of their names"
    with reading(path, problem, f"Name its architecture: --model {path}:ARCH"):
        if metric_learning(checkpoint, wanted) is None:
            recognise(checkpoint)


def _architecture(text: str) -> str:
    """The architecture's name; the pretraining set among its options must exist too."""
    name, options = parse_spec(text)
    take_positions(options)
    if "pretrained_on" in options:
        check_pretraining(str(options["pretrained_on"]))
    return name
