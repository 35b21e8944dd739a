"""k-NN, bare products and other ways to it: `python -m lowlabel.benchmarks.speed.knn`.

The limit is the float32 product of all test with all train features at the fastest of some tiles,
whose results are not read.
"""

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
import torch
import typer
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from lowlabel.benchmarks.speed.timing import markdown, median_seconds, tiled_product
from lowlabel.classification import DEFAULT_KS, evaluate_knn
from lowlabel.devices import describe_device, resolve_device

NOISE = 4.0  # gives a top-1 of about 60 % at the default sizes
TILES = ((256, 2048), (512, 2048), (512, 4096), (1024, 4096), (1024, 65_536))
TEMPERATURE = 0.07
Sets = tuple[Tensor, Tensor, Tensor, Tensor]


def main(
    train: int = 50_000,
    test: int = 10_000,
    width: int = 384,
    classes: int = 100,
    repeats: int = 5,
    peers: bool = True,
    device: str = "auto",
) -> None:
    """Prints seconds, their ratio to the product at its best tile, and top-1 at k = 20."""
    resolved = resolve_device(device)
    sets = _sets(train, test, width, classes, resolved)
    ks = tuple(min(k, train) for k in DEFAULT_KS)
    scores: dict[str, float] = {}
    bare = {
        f"product, {rows} × {columns}, {'a thread per core' if each else 'one product'}": partial(
            _bare, sets, rows, columns, each=each
        )
        for (rows, columns), each in product(TILES, (False, True))
    }
    ours = {
        "lowlabel, k = 20": partial(_ours, sets, (min(20, train),), device),
        "lowlabel, k = 10, 20, 100, 200": partial(_ours, sets, ks, device),
    }
    others = {"torch, top 200": _loop, "scikit-learn, k = 200": _scikit_learn} if peers else {}
    jobs: dict[str, Callable[[], object]] = dict(bare)
    for name, job in {**ours, **{name: partial(job, sets) for name, job in others.items()}}.items():
        jobs[name] = partial(_keep, scores, name, job)
    seconds = median_seconds(jobs, repeats)
    limit = min(bare, key=lambda name: seconds[name])
    rows = [
        {"job": name, "s": seconds[name], "× product": seconds[name] / seconds[limit]}
        | {"top-1, %": scores.get(name, "")}
        for name in (limit, *jobs)
        if name == limit or name not in bare
    ]
    print(markdown(rows))
    print(f"\n{test:,} test and {train:,} train images of {classes} classes, {width} dimensions.")
    print(f"Medians of {repeats} runs in turn on {describe_device(resolved)}.")


def _keep(scores: dict[str, float], name: str, job: Callable[[], float]) -> None:
    scores[name] = job()


def _sets(train: int, test: int, width: int, classes: int, device: torch.device) -> Sets:
    random = np.random.default_rng(0)
    means = random.standard_normal((classes, width), dtype=np.float32)
    sets: list[Tensor] = []
    for images in (train, test):
        labels = random.integers(0, classes, images)
        noise = NOISE * random.standard_normal((images, width), dtype=np.float32)
        sets += [torch.from_numpy(means[labels] + noise), torch.from_numpy(labels)]
    train_features, train_labels, test_features, test_labels = (each.to(device) for each in sets)
    return train_features, train_labels, test_features, test_labels


def _bare(sets: Sets, rows: int, columns: int, *, each: bool) -> None:
    tiled_product(sets[2], sets[0], rows, columns, each=each)


def _ours(sets: Sets, ks: tuple[int, ...], device: str) -> float:
    result = evaluate_knn(*sets, k=ks, device=device)
    return result.metrics[f"top1@{20 if 20 in ks else ks[0]}"]


def _loop(sets: Sets) -> float:
    """Products, `topk` and votes block by block, in float32."""
    train, test = (torch.nn.functional.normalize(each) for each in (sets[0], sets[2]))
    k, hits = min(200, len(train)), 0
    for queries, wanted in zip(test.split(512), sets[3].split(512), strict=True):
        cosines, rows = (queries @ train.T).topk(k)
        weights = (cosines[:, :20] / TEMPERATURE).exp()
        votes = weights.new_zeros(len(queries), int(sets[1].max()) + 1)
        votes.scatter_add_(1, sets[1][rows[:, :20]], weights)
        hits += int((votes.argmax(1) == wanted).sum())
    return 100 * hits / len(test)


def _scikit_learn(sets: Sets) -> float:
    """Euclidean distances of unit rows, with votes as above; its k votes, so top-1 is another."""
    train, test = (torch.nn.functional.normalize(each).cpu().numpy() for each in (sets[0], sets[2]))
    model = KNeighborsClassifier(
        min(200, len(train)),
        weights=lambda distance: np.exp((1 - distance**2 / 2) / TEMPERATURE),
        algorithm="brute",
    )
    return 100 * float(model.fit(train, sets[1].cpu()).score(test, sets[3].cpu()))


if __name__ == "__main__":
    typer.run(main)
