"""Retrieval, bare products and peers: `python -m lowlabel.benchmarks.speed.retrieval`.

Leave-one-out at the size of Stanford Online Products' test part. The limit is half of the float32
products of the features with themselves, at the fastest of some tiles, whose results are not read.
"""

from functools import partial

import numpy as np
import typer

from lowlabel.benchmarks.speed.peers import installed_peers
from lowlabel.benchmarks.speed.processes import (
    Run,
    in_new_process,
    median_seconds_of,
    rows_with_ratio,
    runs_in_turn,
    timed,
)
from lowlabel.benchmarks.speed.retrieval_jobs import HALVES, JOBS, OURS, PEER_PACKAGES, Data
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
    """Prints seconds, their ratio to half of the products, peak memory and Recall@1."""
    data = Data(images, width, classes, device)
    jobs = [*OURS, *(installed_peers(PEER_PACKAGES) if peers else ())]
    importing = in_new_process(peak_memory_mb)
    runs = runs_in_turn(jobs, _run, data, repeats)
    limit = min(HALVES, key=lambda half: median_seconds_of(runs[half]))
    shown = {job: found for job, found in runs.items() if job == limit or job not in HALVES}
    print(markdown(rows_with_ratio(shown, limit, "× half of the products", "Recall@1, %")))
    print(
        f"\n{images:,} images of {classes:,} classes, {width} dimensions. Medians of {repeats} runs"
    )
    print(f"in turn on {describe_device(resolve_device(device))}, each in a new process.")
    print(f"Peak memory includes {4 * images * width / 2**20:.0f} MiB of features and")
    print(f"{importing:.0f} MiB from importing libraries.")


def _run(job: str, data: Data) -> Run:
    features, labels = data.arrays(clustered="clustered" in job)
    evaluate = JOBS[job]
    evaluate(features[:WARM_UP], np.arange(len(labels[:WARM_UP])) // 4, data.device)
    return timed(partial(evaluate, features, labels, data.device))


if __name__ == "__main__":
    typer.run(main)
