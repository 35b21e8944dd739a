import io
import re
from pathlib import Path

import pandas as pd
import pytest

from lowlabel.errors import DataError
from lowlabel.results.render import (
    render_csv,
    render_latex,
    render_markdown,
    write_leaderboards,
)


@pytest.fixture
def records(fewshot):
    return [
        fewshot(model, method, shots, base + len(method) + 3 * shots, title="CIFAR_FS & 5 %").record
        for model, base in (("pixels", 20), ("mobilenetv2_100", 50))
        for method in ("ncm", "ncm,norm=cl2n", "lr", "lr,transform=tukey+l2", "dc")
        for shots in (1, 5)
    ]


def cells(markdown):
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return rows[0], rows[2:]


def test_markdown_gives_back_every_number(records):
    heading, rows = cells(render_markdown(records))
    assert heading == ["Model", "Method", "5-way 1-shot", "5-way 5-shot"]
    assert len(rows) == 10
    found = {
        (model, method, protocol): tuple(map(float, cell.strip("*").split("±")))
        for model, method, *scores in rows
        for protocol, cell in zip(heading[2:], scores, strict=True)
    }
    assert len(found) == len(records)
    for record in records:
        e, score = record.experiment, record.scores["accuracy"]
        printed = found[e.model.name, e.method.spec, e.protocol.name]
        assert printed == pytest.approx((score.mean, score.ci95), abs=5e-3)


def test_markdown_marks_one_best_a_column_and_fits_a_terminal(records):
    markdown = render_markdown(records)
    assert len(re.findall(r"\*\*[\d.]+±[\d.]+\*\*", markdown)) == 2
    assert max(map(len, markdown.splitlines())) <= 120


def test_the_footer_says_where_the_numbers_come_from(records):
    footer = render_markdown(records).rpartition("---\n")[2]
    for words in ("1.96·σ/√n over tasks (ddof 1)", "commit 0123abcd0123,", "cpu (2 threads)"):
        assert words in footer
    weights = records[0].experiment.model.weights_sha256
    assert f"pixels {weights[:12]}" in footer


def test_a_pipe_in_a_name_does_not_break_the_table(fewshot):
    assert "| a\\|b " in render_markdown([fewshot("a|b").record])


def test_csv_gives_back_every_number_and_its_provenance(records, retrieval):
    records = [*records, retrieval().record]
    frame = pd.read_csv(io.StringIO(render_csv(records)))
    assert len(frame) == sum(len(record.scores) for record in records)
    by_key = frame.set_index(["identity", "metric"])
    for record in records:
        for metric, score in record.scores.items():
            row = by_key.loc[record.identity(), metric]
            assert row["mean"] == score.mean
            assert row["ci95"] == score.ci95 or (score.ci95 is None and pd.isna(row["ci95"]))
            assert row["weights_sha256"] == record.experiment.model.weights_sha256
            assert row["manifest_sha256"] == record.experiment.dataset.manifest_sha256
    recall = by_key.loc[records[-1].identity(), "recall@1"]
    assert (recall["published"], recall["published_source"]) == (71.20, "SSL-ViT table 2")
    assert recall["delta"] == pytest.approx(recall["mean"] - 71.20, abs=1e-6)


def test_latex_is_escaped_and_balanced(records, retrieval):
    latex = render_latex([*records, retrieval().record])
    body = "\n".join(line for line in latex.splitlines() if not line.startswith("%"))
    assert r"CIFAR\_FS \& 5 \%" in body
    assert r"mobilenetv2\_100" in body
    assert body.isascii()
    for name in ("table", "tabular"):
        assert body.count(rf"\begin{{{name}}}") == body.count(rf"\end{{{name}}}") > 0
    for line in body.splitlines():
        if line.endswith(r"\\") and "&" in line:
            assert len(re.findall(r"(?<!\\)&", line)) in (3, 5, 6, 7, 9)
    unescaped = re.sub(r"\\[{}]", "", body)
    assert unescaped.count("{") == unescaped.count("}")
    assert not re.search(r"(?<!\\)[%#_]", body.replace("_{", "")) or r"^{\mathrm" in body


def test_three_files_are_written(records, tmp_path):
    paths = write_leaderboards(records, tmp_path / "new")
    assert [path.name for path in paths] == ["leaderboard.md", "leaderboard.csv", "leaderboard.tex"]
    assert paths[0].read_text(encoding="utf-8") == render_markdown(records)
    assert paths[1].read_text(encoding="utf-8") == render_csv(records)
    assert paths[2].read_text(encoding="utf-8") == render_latex(records)


def test_a_failing_write_leaves_the_old_tables(records, tmp_path, monkeypatch):
    write_leaderboards(records[:2], tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    write = Path.write_bytes

    def full_disk(self, content):
        if b"booktabs" in content:
            write(self, content[:10])
            raise OSError(28, "No space left on device")
        write(self, content)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(DataError, match="No space left on device"):
        write_leaderboards(records, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
