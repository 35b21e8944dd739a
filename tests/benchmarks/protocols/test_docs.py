import re
from pathlib import Path

from lowlabel.benchmarks.protocols import PROTOCOLS

PAGE = Path(__file__).parents[3] / "docs/protocols.md"


def test_the_page_of_protocols_names_every_field():
    rows = [
        line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if "|" in line
    ]
    for name, kind in PROTOCOLS.items():
        cells = " ".join(row[3] for row in rows if f"`{name}`" in row[1])
        assert set(kind.options()) - {"dataset"} <= set(re.findall(r"`(\w+)`", cells)), name
