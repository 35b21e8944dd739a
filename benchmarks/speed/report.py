"""Time of a report of many records, and of a search in its page.

python -m lowlabel.benchmarks.speed.report results/leaderboard.tar.xz
"""

import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from lowlabel.benchmarks.speed.timing import markdown
from lowlabel.results import Record, open_records
from lowlabel.results.leaderboard import make_board
from lowlabel.results.report import render_report

_SEARCH = """word => {
    const started = performance.now();
    form.elements.search.value = word;
    update();
    document.body.offsetHeight;
    return performance.now() - started;
}"""


def main(records: Path, count: int = 10_000, browser: bool = True, repeats: int = 3) -> None:
    """Prints the processor seconds to render the page, and the seconds to open and to search it.

    Of a folder, also the processor seconds to read its records with their scores of every item,
    and to compare those near the best of each column.

    Args:
        records: A results folder or an archive, whose records are repeated under other names.
        count: Number of records.
        browser: Open the page in Chromium, by playwright.
        repeats: Number of times that each is done, of which the median counts.
    """
    source = open_records(records)
    seconds = dict[str, float]()
    if source.files:
        own = len(source.records)
        seconds[f"read {own:,}"] = _processor_s(lambda: open_records(records), repeats)
        seconds[f"compare {own:,}"] = _processor_s(
            lambda: make_board(source.records, scored=source.scored), repeats
        )
    made = _repeated(list(source.records), count)
    seconds[f"render {count:,}"] = _processor_s(lambda: render_report(made), repeats)
    page = render_report(made)
    if browser:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "report.html"
            file.write_text(page, encoding="utf-8")
            seconds |= _in_browser(file, made[-1].experiment.model.name)
    print(markdown([{"job": job, "s": value} for job, value in seconds.items()]))
    print(f"\n{len(made):,} records, {len(page) / 2**20:.1f} MiB")


def _processor_s(job: Callable[[], object], repeats: int) -> float:
    """The median processor time of a job, which a busy machine hardly changes."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        job()
        times.append(time.process_time() - started)
    return statistics.median(times)


def _repeated(records: list[Record], count: int) -> list[Record]:
    """Records under as many names of models as are needed."""
    return [_renamed(records[n % len(records)], n // len(records)) for n in range(count)]


def _renamed(record: Record, copy: int) -> Record:
    model = record.experiment.model
    renamed = replace(model, name=f"{model.name} {copy}", spec=f"{model.spec},copy={copy}")
    return replace(record, experiment=replace(record.experiment, model=renamed))


def _in_browser(file: Path, word: str) -> dict[str, float]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        opened = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = opened.new_page()
        started = time.perf_counter()
        page.goto(file.as_uri())
        loaded = time.perf_counter() - started
        words = (word, "", word[:4], "", "ncm")
        slowest = max(page.evaluate(_SEARCH, each) for each in words) / 1000
        opened.close()
    return {"open": loaded, "slowest search": slowest}


if __name__ == "__main__":
    typer.run(main)
