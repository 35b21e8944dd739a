"""Weights files that authors publish at an address of their own."""

import urllib.error
from pathlib import Path

import torch

from lowlabel.errors import DataError
from lowlabel.paths import weights_dir, writable_dir


def authors_file(url: str, alias: str) -> Path:
    """The file of an address: from the weights folder, the cache of torch.hub, or a download.

    Args:
        url: Where the authors publish it.
        alias: The model's name. The weights folder may hold the file as `ALIAS.pth`, too.

    Raises:
        DataError: If it cannot be fetched.
    """
    name = url.rpartition("/")[2]
    places = weights_dir() / name, weights_dir() / f"{alias}.pth", _hub_cache() / name
    if found := next(filter(Path.is_file, places), None):
        return found
    target = writable_dir(weights_dir()) / name
    try:
        torch.hub.download_url_to_file(url, str(target), progress=False)
    except (urllib.error.URLError, OSError) as error:
        raise DataError(
            f"cannot fetch the weights of {alias}, which are not in {weights_dir()} or in "
            f"{_hub_cache()}: {getattr(error, 'reason', error)}",
            f"Download {url}\non a machine with a network, and save the file as {target}",
        ) from error
    return target


def _hub_cache() -> Path:
    return Path(torch.hub.get_dir(), "checkpoints")
