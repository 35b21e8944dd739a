"""Leaderboards as Markdown, CSV and LaTeX."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tabulate import tabulate

from lowlabel.escaping import csv_text, markdown_cell, markdown_text, one_line
from lowlabel.paths import writable_dir, write_files
from lowlabel.results.correlation import label_free_sections, render_correlations_csv
from lowlabel.results.figures.label_budget import render_label_budget
from lowlabel.results.leaderboard import Board, Section, Table, board_of
from lowlabel.results.leaderboard.interval_notes import interval_definitions
from lowlabel.results.record import Record
from lowlabel.results.scores import scores_frame

_TEXT = frozenset({"Model", "Method", "Embedder", "Score", "Here", "Conditions", "Source"})
_NOTHING: Mapping[str, str] = {}
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    **{character: rf"\{character}" for character in "&%$#_"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "√": r"$\surd$",
    "σ": r"$\sigma$",
    "Δ": r"$\Delta$",
    "α": r"$\alpha$",
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
    "§": r"\S{}",
    "ᵀ": r"$^{\mathrm{T}}$",
}


def render_markdown(
    records: Iterable[Record] | Board, published: Mapping[str, str] = _NOTHING
) -> str:
    """The leaderboards as Markdown, aligned for a terminal; see `leaderboard`."""
    board = board_of(records, published)
    sections = "\n\n".join(map(_markdown_section, board.sections))
    lines = "\n".join(f"- {markdown_text(line)}" for line in footer(board.records))
    return f"# Leaderboard\n\n{sections}\n\n---\n\n{lines}\n"


def render_csv(records: Iterable[Record] | Board) -> str:
    """Every score with its provenance as CSV: one line per score, in full precision."""
    return csv_text(scores_frame(records))


def render_latex(records: Iterable[Record] | Board, published: Mapping[str, str] = _NOTHING) -> str:
    """The leaderboards as LaTeX tables, which need the package booktabs; see `leaderboard`."""
    board = board_of(records, published)
    head = "\n".join(
        f"% {one_line(line)}" for line in ("needs \\usepackage{booktabs}", *footer(board.records))
    )
    tables = (
        _latex_table(table, section) for section in board.sections for table in section.tables
    )
    return head + "\n\n" + "\n\n".join(tables) + "\n"


def write_leaderboards(
    records: Iterable[Record] | Board, folder: Path, published: Mapping[str, str] = _NOTHING
) -> list[Path]:
    """Writes leaderboard.md, .csv and .tex, all or none, and returns their paths.

    See `leaderboard` for `published`.
    Records of label budgets add the figures label-budget.png and .svg.
    Where three models have label-free measures, label-free.md and .csv are written, too.

    Raises:
        InputError: If there are no records.
        DataError: If a file cannot be written.
    """
    board = board_of(records, published)
    rendered: dict[str, str | bytes] = {
        "leaderboard.md": render_markdown(board),
        "leaderboard.csv": render_csv(board),
        "leaderboard.tex": render_latex(board),
    }
    figures = render_label_budget(board.records)
    rendered |= {f"label-budget.{kind}": content for kind, content in figures.items()}
    if correlated := render_label_free(board.records):
        rendered["label-free.md"] = correlated
        rendered["label-free.csv"] = render_correlations_csv(board.records)
    paths = [writable_dir(folder) / name for name in rendered]
    write_files(dict(zip(paths, rendered.values(), strict=True)))
    return paths


def render_label_free(records: Iterable[Record]) -> str:
    """How label-free measures go with the scores, as Markdown.

    Empty if no score has measures of three models.
    """
    sections = label_free_sections(records)
    if not sections:
        return ""
    body = "\n\n".join(map(_markdown_section, sections))
    return f"# Label-free measures and scores\n\n{body}\n"


def footer(records: Sequence[Record]) -> list[str]:
    """Lines below the tables: definition of the intervals, weights, versions and devices."""
    complete = [record for record in records if record.complete]
    models = (record.experiment.model for record in records)
    weights = {(model.name, (model.weights_sha256 or "none")[:12]) for model in models}
    commits = _distinct(_short_commit(record.environment.commit) for record in records)
    devices = _distinct(record.environment.device for record in records)
    versions = _distinct(record.environment.lowlabel for record in records)
    return [
        f"±: 95 % confidence interval, {_distinct(interval_definitions(complete))}.",
        "Bold: best of the inductive and of the transductive rows, and what is not told apart from "
        "it.",
        "Weights: " + ", ".join(f"{name} {prefix}" for name, prefix in sorted(weights)),
        f"lowlabel {versions}, commit {commits}, on {devices}",
    ]


def _short_commit(commit: str | None) -> str:
    digits, dirty, _ = (commit or "unknown").partition("-dirty")
    return digits[:12] + dirty


def _distinct(values: Iterable[str]) -> str:
    return " / ".join(dict.fromkeys(values)) or "none"


def _markdown_section(section: Section) -> str:
    tables = (
        f"{markdown_text(table.caption)}\n\n{markdown_table(table)}" for table in section.tables
    )
    notes = "\n".join(f"- {markdown_text(note)}" for note in section.notes)
    return "\n\n".join([f"## {markdown_text(section.title)}", *tables, notes])


def markdown_table(table: Table) -> str:
    """A table as Markdown, aligned for a terminal, with the best cells bold."""
    rows = [
        [_mark(table, row, column, markdown_cell(cell), "**{}**") for column, cell in cells]
        for row, cells in _cells(table)
    ]
    align = ["left" if name in _TEXT else "right" for name in table.frame.columns]
    headings = [markdown_cell(name) for name in table.frame.columns]
    return tabulate(rows, headings, tablefmt="pipe", colalign=align, disable_numparse=True)


def _latex_table(table: Table, section: Section) -> str:
    rows = [
        " & ".join(
            _mark(table, row, column, _escape(cell), r"\textbf{{{}}}") for column, cell in cells
        )
        for row, cells in _cells(table)
    ]
    align = "".join("l" if name in _TEXT else "r" for name in table.frame.columns)
    notes = r" \\ ".join(_escape(note) for note in section.notes)
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_escape(f'{section.title}. {table.caption}')}}}",
            rf"\begin{{tabular}}{{{align}}}",
            r"\toprule",
            " & ".join(_escape(name) for name in table.frame.columns) + r" \\",
            r"\midrule",
            *(rf"{row} \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
            rf"\par\footnotesize {notes}",
            r"\end{table}",
        ]
    )


def _cells(table: Table) -> Iterable[tuple[int, Iterable[tuple[int, str]]]]:
    rows = table.frame.itertuples(index=False, name=None)
    return ((index, enumerate(row)) for index, row in enumerate(rows))


def _mark(table: Table, row: int, column: int, cell: str, style: str) -> str:
    return style.format(cell) if (row, column) in table.bold else cell


def _escape(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in one_line(text))
