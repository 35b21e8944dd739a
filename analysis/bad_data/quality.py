"""How well flaws in the demo are found: `python -m lowlabel.analysis.bad_data.quality`.

To the 800 novel images are added 5 % blank and noise images, images of one foreign class, of many,
or re-encoded copies; or 5 % of the labels are exchanged.
"""

import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score
from tabulate import tabulate

from lowlabel.analysis.bad_data.find import BadData, find_bad_data
from lowlabel.analysis.bad_data.pool import Pool
from lowlabel.datasets import ImageSet, LabelledPath, open_dataset
from lowlabel.features import Backbone, EmbeddingTable, load_backbone

SHARE = 0.05
_BATCH = 64

Draw = Callable[[ImageSet, ImageSet, int, np.random.Generator], Image.Image]


def _blank_or_noise(
    own: ImageSet, foreign: ImageSet, place: int, random: np.random.Generator
) -> Image.Image:
    side = 64
    if place % 2:
        return Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8))
    return Image.new("RGB", (side, side), (128, 128, 128))


def _of_one_class(
    own: ImageSet, foreign: ImageSet, place: int, random: np.random.Generator
) -> Image.Image:
    return _open(foreign, place)  # the images of a class come in a row


def _of_many_classes(
    own: ImageSet, foreign: ImageSet, place: int, random: np.random.Generator
) -> Image.Image:
    return _open(foreign, int(random.integers(len(foreign))))


def _copy(own: ImageSet, foreign: ImageSet, place: int, random: np.random.Generator) -> Image.Image:
    """Re-encoded as JPEG, every second one at three quarters of its size."""
    image = _open(own, int(random.integers(len(own))))
    if place % 2:
        image = image.resize((image.width * 3 // 4, image.height * 3 // 4))
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=90)
    return Image.open(encoded).convert("RGB")


ADDED: dict[str, Draw] = {
    "blank and noise": _blank_or_noise,
    "one foreign class": _of_one_class,
    "many foreign classes": _of_many_classes,
    "re-encoded copies": _copy,
}
EXCHANGED = "exchanged labels"


@dataclass(frozen=True)
class Demo:
    """The images of the demo, with the embeddings of its novel part.

    Attributes:
        backbone: The model.
        own: The novel part.
        foreign: The base part.
        features: Embeddings of the novel part [N, D].
    """

    backbone: Backbone
    own: ImageSet
    foreign: ImageSet
    features: NDArray[np.float32]

    @classmethod
    def by(cls, model: str) -> "Demo":
        """Embeds the novel part with a model."""
        opened, backbone = open_dataset("demo"), load_backbone(model)
        own = opened.load("novel")
        return cls(backbone, own, opened.load("base"), _embedded(backbone, own))

    def with_flaws(self, flaw: str, seed: int) -> tuple[BadData, NDArray[np.bool_]]:
        """Puts in a flaw and looks for it; returns what is found and which images have it."""
        random = np.random.default_rng(seed)
        count = round(SHARE * len(self.own))
        names = [self.own.class_names[label] for label in self.own.labels]
        listing = [
            LabelledPath(path, name) for path, name in zip(self.own.paths, names, strict=True)
        ]
        with tempfile.TemporaryDirectory() as folder:
            root, flawed = Path(folder), np.zeros(len(listing), dtype=bool)
            (root / self.own.part).symlink_to((self.own.root / self.own.part).resolve())
            if flaw == EXCHANGED:
                flawed[random.choice(len(listing), count, replace=False)] = True
                for row in np.flatnonzero(flawed):
                    others = [n for n in self.own.class_names if n != names[row]]
                    listing[row] = listing[row]._replace(class_name=str(random.choice(others)))
                added: list[LabelledPath] = []
            else:
                added = [
                    LabelledPath(f"{place:04d}.png", str(random.choice(self.own.class_names)))
                    for place in range(count)
                ]
                for place, item in enumerate(added):
                    image = ADDED[flaw](self.own, self.foreign, place, random)
                    image.save(root / item.path)
            images = ImageSet.from_listing("demo:flawed", "novel", root, [*listing, *added])
            extra = images.only(range(len(listing), len(images)))
            features = [self.features, *([_embedded(self.backbone, extra)] if added else [])]
            table = EmbeddingTable(np.concatenate(features), images.labels, "")
            found = find_bad_data(Pool.of([(images, table)]))
        return found, np.concatenate([flawed, np.ones(len(added), dtype=bool)])


def _open(images: ImageSet, row: int) -> Image.Image:
    return Image.open(images.root / images.paths[row]).convert("RGB")


def _embedded(backbone: Backbone, images: ImageSet) -> NDArray[np.float32]:
    rows = []
    for start in range(0, len(images), _BATCH):
        paths = images.paths[start : start + _BATCH]
        pixels = np.stack([backbone.transform.read(images.root / path) for path in paths])
        rows.append(backbone.embed(torch.from_numpy(pixels)).cpu().numpy())
    return np.concatenate(rows)


def measure(model: str, seeds: int) -> list[dict[str, str]]:
    """A row for each flaw: mean and range over seeds of AUROC, precision and recall."""
    demo, lines = Demo.by(model), []
    for flaw in (*ADDED, EXCHANGED):
        values: dict[str, list[float]] = {}
        for seed in range(seeds):
            found, flawed = demo.with_flaws(flaw, seed)
            for name, value in _measured(found, flawed, flaw).items():
                values.setdefault(name, []).append(value)
        lines.append({"flaw": flaw} | {name: _shown(each) for name, each in values.items()})
    return lines


def _measured(found: BadData, flawed: NDArray[np.bool_], flaw: str) -> dict[str, float]:
    if flaw == EXCHANGED:
        score, flags = "label_error", found.flags[found.flags["reason"] == "label-error"]
    else:
        score, flags = "combined", found.flags[found.flags["reason"] != "label-error"]
    chosen = found.scores["path"].isin(flags["path"]).to_numpy()
    distances = 1 - found.others.cosines.mean(axis=1)
    return {
        "AUROC": float(roc_auc_score(flawed, found.scores[score])),
        "AUROC of the distance": float(roc_auc_score(flawed, distances)),
        "precision": float(flawed[chosen].mean()) if chosen.any() else 0.0,
        "recall": float(chosen[flawed].mean()),
    }


def _shown(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.3f}–{max(values):.3f})"


def main(
    model: Annotated[str, typer.Option(help="A model, as for lowlabel run.")] = "demo_vit",
    seeds: Annotated[int, typer.Option(help="Number of repetitions.", min=1)] = 5,
) -> None:
    """Put flaws into the demo and print how well they are found."""
    typer.echo(tabulate(measure(model, seeds), headers="keys", tablefmt="github"))


if __name__ == "__main__":
    typer.run(main)
