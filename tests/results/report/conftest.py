"""Records for a page, and a real browser to open it in."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lowlabel.results import Record, ScoredRecord
from lowlabel.results.report import render_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


@pytest.fixture
def records(
    fewshot: Callable[..., ScoredRecord], retrieval: Callable[..., ScoredRecord]
) -> list[Record]:
    """Two models with two methods and shots, one of them transductive, and a retrieval."""
    scored = [
        fewshot(model, method, shots, mean + 10 * shots, transductive=method == "tim")
        for model, mean in (("pixels", 20.0), ("dino_vits16", 40.0))
        for method in ("ncm", "tim")
        for shots in (1, 5)
    ]
    return [each.record for each in (*scored, retrieval("dino_vits16"), retrieval("pixels"))]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens the page of some records; it must not complain or ask for another file."""
    faults: list[str] = []
    opened = []

    def open_page(records: list[Record], **options: Any) -> Any:
        file = tmp_path / "report.html"
        file.write_text(render_report(records, **options), encoding="utf-8")
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request",
            lambda request: (
                request.url.startswith(("data:", file.as_uri()))
                or faults.append(f"asked for {request.url}")
            ),
        )
        page.goto(file.as_uri())
        opened.append(page)
        return page

    yield open_page
    for page in opened:
        page.close()
    assert not faults
