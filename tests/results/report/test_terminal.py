"""Leaderboards in a terminal: short, and honest about what is not shown."""

from collections.abc import Callable

from lowlabel.results import Record, ScoredRecord
from lowlabel.results.report import render_terminal


def test_every_model_and_section_is_there(records: list[Record]):
    text = render_terminal(records)
    assert "Few-shot classification: CIFAR-FS (bertinetto, novel): Accuracy (%)" in text
    assert "Retrieval: CUB-200-2011" in text
    assert text.count("| dino_vits16") == 3
    assert "5-way 1-shot" in text and "R@1" in text
    assert "MAP@R" not in text
    assert "more tables in leaderboard.md)" in text
    assert len(text.splitlines()) <= 40


def test_the_best_of_each_model_comes_before_other_methods(
    fewshot: Callable[..., ScoredRecord],
):
    made = [
        fewshot(f"model {model}", f"ncm,k={k}", mean=50.0 + 5 * model + k).record
        for model in range(6)
        for k in range(20)
    ]
    text = render_terminal(made, lines=13)
    rows = [line for line in text.splitlines() if line.startswith("| model")]
    assert len(rows) == 8
    assert {row.split("|")[1].strip() for row in rows} == {f"model {n}" for n in range(6)}
    assert "**99.00" not in text and "**94.00" in text
    assert "(112 more rows in leaderboard.md)" in text


def test_doubts_stay(fewshot: Callable[..., ScoredRecord]):
    record = fewshot("dino", contamination=("it has seen 3 classes",)).record
    text = render_terminal([record])
    assert "† contaminated, never bold: it has seen 3 classes" in text
    assert "Chance" not in text
