"""Retrieval beside bare products and its peers: `python -m lowlabel.benchmarks.speed.retrieval`.

Leave-one-out over sizes like those of Stanford Online Products' test half. The limit is one full
float32 product of the features with themselves, in blocks and without a look at the result.
"""

from functools import partial
from importlib.util import find_spec

import numpy as np
import typer

from lowlabel.benchmarks.speed.processes import (
    Run,
    beside_limit,
    in_a_process_of_its_own,
    runs_in_turn,
    timed,
)
from lowlabel.benchmarks.speed.retrieval_jobs import BARE, JOBS, NEEDS, WITHOUT_PEERS, Task
from lowlabel.benchmarks.speed.timing import markdown
from lowlabel.devices import describe_device, peak_memory_mb, resolve_device

WARM_UP = 2048  # images


def main(
    images: int = 60_502,
    width: int = 384,
    classes: int = 11_316,
    repeats: int = 3,
    peers: bool = False,
    device: str = "auto",
) -> None:
    """Prints seconds, their ratio to the bare product, and peak memory."""
    task = Task(images, width, classes, device)
    jobs = [job for job in JOBS if peers or job in WITHOUT_PEERS]
    jobs = [job for job in jobs if find_spec(NEEDS.get(job, "torch"))]
    importing = in_a_process_of_its_own(peak_memory_mb)
    runs = runs_in_turn(jobs, _run, task, repeats)
    print(markdown(beside_limit(runs, BARE, "× bare product", "Recall@1, %")))
    print(
        f"\n{images:,} images of {classes:,} classes, {width} dimensions. Medians of {repeats} runs"
    )
    print(f"in turn on {describe_device(resolve_device(device))}, each in a process of its own,")
    print(f"whose peak memory holds the features, {4 * images * width / 2**20:.0f} MiB, and")
    print(f"what importing the libraries takes, {importing:.0f} MiB.")


def _run(job: str, task: Task) -> Run:
    features, labels = task.data(clustered="clustered" in job)
    evaluate = JOBS[job]
    evaluate(features[:WARM_UP], np.arange(len(labels[:WARM_UP])) // 4, task.device)
    return timed(partial(evaluate, features, labels, task.device))


if __name__ == "__main__":
    typer.run(main)
