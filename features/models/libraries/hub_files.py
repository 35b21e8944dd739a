"""Models in folders of Hugging Face: on this computer, in its cache, or a download.

The network is asked only for a model that is not on this computer, and not at all under
`HF_HUB_OFFLINE=1`.
"""

import json
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from lowlabel.errors import DataError, InputError
from lowlabel.features.models.libraries.hub_access import obstacle
from lowlabel.paths import expanded, weights_dir
from lowlabel.reading import reading

CONFIG = "config.json"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_PICKLED = ("pytorch_model.bin",)
_PATTERNS = ("*.json", "model*.safetensors")
_SAVE = "Fetch it again, or save it again with model.save_pretrained(FOLDER)."


def check_folder(kind: str, name: str) -> None:
    """Checks a name that can only be a folder of this computer.

    Raises:
        DataError: If there is no such folder, or it lacks `config.json` or weights.
        InputError: If it is neither a folder nor OWNER/NAME.
    """
    folder = expanded(name)
    if folder.is_dir():
        _require_files(folder)
    elif folder.is_absolute() or name.startswith((".", "~")):
        raise DataError(f"there is no folder {folder}", f"Check the path in --model {kind}:{name}")
    elif name.count("/") != 1 or not all(name.split("/")):
        raise InputError(
            f"{kind}:{name} is no folder here, and no OWNER/NAME",
            f"Write {kind}:OWNER/NAME, as the model's page shows it, or {kind}:FOLDER.",
        )


def model_folder(kind: str, name: str, revision: str | None = None) -> Path:
    """The folder of a model, with `config.json` and its weights.

    A folder of this name comes first, then `OWNER--NAME` in the weights folder, then the cache of
    huggingface_hub, then a download.

    Args:
        kind: What stands before the name: "hf" or "hf-hub".
        name: OWNER/NAME, or a folder.
        revision: Branch, tag or commit; the default branch if None.

    Raises:
        DataError: If it is not here and cannot be fetched, or is not complete.
        InputError: If it is neither a folder nor OWNER/NAME.
    """
    check_folder(kind, name)
    here = expanded(name)
    if here.is_dir():
        return here
    by_hand = weights_dir() / name.replace("/", "--")
    if by_hand.is_dir():
        _require_files(by_hand)
        return by_hand
    try:
        cached = Path(snapshot_download(name, revision=revision, local_files_only=True))
        _require_files(cached)
        return cached
    except (LocalEntryNotFoundError, DataError):  # the cache has none of it, or some files
        pass
    return _downloaded(name, revision, by_hand)


def weights_file(folder: Path) -> Path | None:
    """The weights in a folder, or the index of their parts; safetensors first. None if absent."""
    return next((folder / n for n in (*_WEIGHTS, *_PICKLED) if (folder / n).is_file()), None)


def _require_files(folder: Path) -> None:
    if not (folder / CONFIG).is_file():
        raise DataError(
            f"there is no {folder / CONFIG}", "A model's folder is what save_pretrained writes."
        )
    weights = weights_file(folder)
    if weights is None:
        names = sorted(path.name for path in folder.iterdir())[:10]
        raise DataError(
            f"{folder} holds no weights ({' or '.join((*_WEIGHTS, *_PICKLED))}); it holds: "
            f"{', '.join(names)}",
            _SAVE,
        )
    for part in _parts(weights):
        if "/" in part or not (folder / part).is_file():
            raise DataError(f"there is no {folder / part}, which {weights.name} lists", _SAVE)


def _parts(weights: Path) -> set[str]:
    """Names of the files that hold the weights together."""
    if weights.suffix != ".json":
        return {weights.name}
    with reading(weights, f"{weights} is not an index of weights", _SAVE):
        return set(map(str, json.loads(weights.read_text(encoding="utf-8"))["weight_map"].values()))


def _downloaded(name: str, revision: str | None, by_hand: Path) -> Path:
    if why := obstacle():
        raise _not_fetched(name, by_hand, why)
    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=list(_PATTERNS)))
        if weights_file(folder) is None:
            patterns = [*_PATTERNS, *_PICKLED]
            folder = Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except GatedRepoError as error:
        raise _not_fetched(
            name,
            by_hand,
            "its licence must be accepted",
            f"Accept it at {constants.ENDPOINT}/{name}, log in (hf auth login), and repeat. Or:\n",
        ) from error
    except RepositoryNotFoundError as error:
        raise _not_fetched(name, by_hand, "there is no such model, or it is private") from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise _not_fetched(name, by_hand, reason) from error
    _require_files(folder)
    return folder


def _not_fetched(name: str, by_hand: Path, reason: str, before: str = "") -> DataError:
    return DataError(
        f"cannot fetch the model {name}, which is not in {by_hand.parent} or in the cache "
        f"{constants.HF_HUB_CACHE}: {reason}",
        f"{before}Download {CONFIG}, preprocessor_config.json (if it has one) and "
        f"{_WEIGHTS[0]} from {constants.ENDPOINT}/{name}/tree/main\n"
        f"on a machine with a network, and save them in the folder {by_hand}",
    )
