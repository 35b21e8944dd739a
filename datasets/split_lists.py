"""The class lists of published divisions, which the package carries in `splits/*.csv`."""

import csv
from importlib.resources import files


def split_list(name: str) -> list[dict[str, str]]:
    """Reads `splits/NAME.csv`, one dictionary a row."""
    text = (files("lowlabel.datasets") / "splits" / f"{name}.csv").read_text()
    return list(csv.DictReader(text.splitlines()))
