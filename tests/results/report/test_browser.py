"""The page in a real browser: sorting, filters, fold-outs, figures, keyboard, small screens."""

from collections.abc import Callable
from typing import Any

import pytest

from lowlabel.results import Record, ScoredRecord

TITLE = "Few-shot classification: CIFAR-FS (bertinetto, novel)"


def fewshot_section(page: Any) -> Any:
    return page.locator("#tables > section", has=page.get_by_role("heading", name=TITLE))


def texts(page: Any, column: int) -> list[str]:
    cells = fewshot_section(page).locator(f"tbody tr:not(.detail) td:nth-child({column})")
    return cells.all_inner_texts()


@pytest.mark.slow
def test_a_heading_sorts_and_turns(show: Callable[..., Any], records: list[Record]):
    page = show(records)
    head = fewshot_section(page).locator("th", has_text="5-way 1-shot")
    head.get_by_role("button").click()
    falling = [float(text.partition("±")[0]) for text in texts(page, 3)]
    assert falling == sorted(falling, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button").click()
    assert [float(text.partition("±")[0]) for text in texts(page, 3)] == falling[::-1]
    assert head.get_attribute("aria-sort") == "ascending"


@pytest.mark.slow
def test_filters_keep_what_they_say(show: Callable[..., Any], records: list[Record]):
    page = show(records)
    assert page.locator("#count").inner_text() == "6 rows"
    page.get_by_label("Queries").select_option("transductive")
    assert texts(page, 2) == ["tim ᵀ", "tim ᵀ"]
    page.locator("[name=model]").select_option("pixels")
    assert texts(page, 1) == ["pixels"]
    page.get_by_role("button", name="Show all", exact=True).click()
    page.get_by_label("Suite").select_option("Retrieval")
    assert not fewshot_section(page).is_visible()
    page.get_by_role("button", name="Show all", exact=True).click()
    page.get_by_label("Search").fill("dino ncm")
    assert texts(page, 1) == ["dino_vits16"]
    page.get_by_label("Search").fill("no such model")
    assert page.locator("#count").inner_text() == "0 rows"


@pytest.mark.slow
def test_a_number_folds_out_its_provenance(show: Callable[..., Any], records: list[Record]):
    page = show(records)
    number = fewshot_section(page).locator("td.score button").first
    number.click()
    detail = page.locator("tr.detail")
    weights = records[-2].experiment.model.weights_sha256
    assert str(weights) in detail.inner_text()
    assert "1.96·σ/√n over tasks" in detail.inner_text()
    assert number.get_attribute("aria-expanded") == "true"
    number.click()
    assert detail.count() == 0


@pytest.mark.slow
def test_the_keyboard_does_it_all(show: Callable[..., Any], records: list[Record]):
    page = show(records)
    number = fewshot_section(page).locator("td.score button").first
    number.focus()
    page.keyboard.press("Enter")
    assert page.locator("tr.detail").count() == 1
    head = fewshot_section(page).locator("th", has_text="Model").get_by_role("button")
    head.focus()
    page.keyboard.press("Space")
    assert texts(page, 1) == sorted(texts(page, 1))


@pytest.mark.slow
def test_figures_are_drawn_when_they_are_near(show: Callable[..., Any], records: list[Record]):
    page = show(records)
    page.locator("#figures").scroll_into_view_if_needed()
    figure = page.locator("figure", has_text=f"{TITLE}, 5-way").first
    figure.locator("svg polyline").first.wait_for()
    assert figure.locator("svg polyline").count() == 2
    figure.get_by_label("Method").select_option("tim ᵀ")
    assert figure.locator("svg circle").count() == 4
    assert page.locator("figure td", has_text="50.0").count() > 0  # a heat map


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_tables_only(show: Callable[..., Any], records: list[Record], scheme: str):
    page = show(records)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    back, text = (
        page.evaluate(f"getComputedStyle(document.body).{name}.match(/\\d+/)[0]")
        for name in ("backgroundColor", "color")
    )
    assert (int(back) < int(text)) == (scheme == "dark")


@pytest.mark.slow
def test_on_a_phone_a_fold_out_is_in_sight(show: Callable[..., Any], records: list[Record]):
    page = show(records)
    page.set_viewport_size({"width": 360, "height": 740})
    number = fewshot_section(page).locator("td.score button").last
    number.focus()  # scrolls the table to its right end
    page.keyboard.press("Enter")
    sheet = page.locator("tr.detail > td > div")
    box = sheet.bounding_box()
    assert 0 <= box["x"] < box["x"] + box["width"] <= 360
    assert "1.96·σ/√n over tasks" in sheet.inner_text()


@pytest.mark.slow
def test_names_are_never_markup(show: Callable[..., Any], fewshot: Callable[..., ScoredRecord]):
    name = "</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"
    page = show([fewshot(name).record])
    assert texts(page, 1) == [name]
    assert page.locator("img").count() == 0


@pytest.mark.slow
def test_many_rows_come_by_pages(show: Callable[..., Any], fewshot: Callable[..., ScoredRecord]):
    page = show([fewshot(f"model {number}", mean=50.0, tasks=2).record for number in range(100)])
    assert page.locator("#count").inner_text() == "100 rows"
    assert len(texts(page, 1)) == 25
    page.get_by_role("button", name="Show all 100 rows").click()
    assert len(texts(page, 1)) == 100
    page.get_by_label("Search").fill("model 77")
    assert texts(page, 1) == ["model 77"]
