"""Names of others (labels, files, records) in Markdown, CSV and pages: they must stay text."""

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_FORMULA = re.compile(r"[=+@\t\r\n]|-(?![\d.]|$)")  # how a cell begins that a spreadsheet computes
# characters that could end a script or begin a tag
_IN_SCRIPT = {ord(each): f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}
_QUOTED = re.compile(r"'(?=[=+@\t\r\n-])")


def one_line(text: str) -> str:
    """Text on one line: line breaks and other control characters are written as escapes."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or "\ud800" <= each <= "\udfff" else repr(each)[1:-1]
        for each in text
    )


def printable(text: str) -> str:
    """Text for a terminal: control characters other than line breaks are written as escapes."""
    return "\n".join(map(one_line, text.split("\n")))


def markdown_text(text: str) -> str:
    """Text in a Markdown document: on one line, without HTML tags and links."""
    return _TAG.sub("&lt;", one_line(text)).replace("](", r"]\(")


def markdown_cell(text: str) -> str:
    """Text in a cell of a Markdown table."""
    return markdown_text(text).replace("|", r"\|")


def script_json(data: object) -> str:
    """JSON for a script element of an HTML page, which no text in it can end."""
    return json.dumps(data, separators=(",", ":")).translate(_IN_SCRIPT)


def csv_text(frame: "pd.DataFrame") -> str:
    """A table as CSV; texts that a spreadsheet would compute begin with `'`, as it shows none.

    Names of files that are no UTF-8 are in columns of the dtype object; that of texts refuses them.
    """
    import pandas as pd

    safe = frame.copy()
    for name, column in frame.items():
        if column.dtype.kind not in "biufmM":
            safe[name] = pd.Series(map(_csv_cell, column), frame.index, dtype=object)
    return safe.to_csv(index=False, lineterminator="\n")


def from_csv_cell(text: str) -> str:
    """The text of a cell that `csv_text` wrote."""
    return _QUOTED.sub("", text, count=1) if _QUOTED.match(text) else text


def _csv_cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
