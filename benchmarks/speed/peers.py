"""Which peers a measurement can be compared with."""

from collections.abc import Mapping
from importlib.util import find_spec


def installed_peers(packages: Mapping[str, str]) -> list[str]:
    """Names of the peers that are installed. Prints a line for each peer that is left out.

    Args:
        packages: Name of each peer, with the name of the package to import.
    """
    missing = [peer for peer, package in packages.items() if not find_spec(package)]
    for peer in missing:
        print(f"left out: {peer} ({packages[peer]} is not installed)")
    if missing:
        print("pip install 'lowlabel[speed]' installs all peers but OML (docs/performance.md).\n")
    return [peer for peer in packages if peer not in missing]
