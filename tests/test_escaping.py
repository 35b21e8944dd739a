"""Names of others stay text in Markdown and CSV."""

import pandas as pd

from lowlabel.escaping import csv_text, from_csv_cell, markdown_cell, markdown_text, one_line

HOSTILE = "a|b\n| forged | 99.9 |\n<script>x</script>\r[x](javascript:y)"


def test_a_name_stays_on_its_line_and_is_no_tag_row_or_link():
    cell = markdown_cell(HOSTILE)
    assert "\n" not in cell
    assert "\r" not in cell
    assert "<script" not in cell
    assert "](" not in cell
    assert cell.replace(r"\|", "").count("|") == 0
    assert one_line("a\n\\input{x}") == r"a\n\input{x}"


def test_usual_names_are_unchanged():
    for name in ("dino_vits16", "p < 0.05", "1-shot ±0.3 √", "café 鳥", "ncm,norm=l2", "\udce9"):
        assert markdown_text(name) == name


def test_cells_that_a_spreadsheet_would_compute_come_back_as_they_were():
    names = ["=1+1", "+x", "@y", "-cmd", "-1.5", "-", "a=b", "é"]
    text = csv_text(pd.DataFrame({"path": names, "score": -1.0}))
    cells = [line.partition(",")[0] for line in text.splitlines()[1:]]
    assert cells == ["'=1+1", "'+x", "'@y", "'-cmd", "-1.5", "-", "a=b", "é"]
    assert [from_csv_cell(cell) for cell in cells] == names
