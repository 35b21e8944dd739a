"""The 52 heads of DINOv2's grid: `python -m lowlabel.benchmarks.speed.linear`.

Steps of `LinearGrid` on random embeddings: class tokens of four blocks and the mean of the patches.
They are compared with the matrix products of the heads alone, with the heads trained one after
another by the same code, and by `torch.nn.Linear`, `torch.optim.SGD` and `CosineAnnealingLR`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import typer
from torch import Tensor
from torch.nn.functional import cross_entropy

from lowlabel.benchmarks.speed.timing import markdown, median_seconds
from lowlabel.classification import RECIPES
from lowlabel.classification.probe.grid import LinearGrid
from lowlabel.devices import describe_device, resolve_device

BLOCKS = 4


@dataclass(frozen=True)
class Work:
    """The grid, and embeddings to train it on."""

    grid: LinearGrid
    table: Tensor
    targets: Tensor

    @classmethod
    def random(cls, images: int, width: int, classes: int, steps: int, device: str) -> "Work":
        """Random embeddings [images, (4 + 1) · width], and DINOv2's recipe cut to some steps."""
        place = resolve_device(device)
        last, blocks = (BLOCKS - 1) * width, BLOCKS * width
        columns = {
            "cls": slice(last, blocks),
            "cls+mean": slice(last, blocks + width),
            "cls@4": slice(0, blocks),
            "cls@4+mean": slice(0, blocks + width),
        }
        random = torch.Generator().manual_seed(0)
        table = torch.randn(images, blocks + width, generator=random).to(place)
        targets = torch.randint(classes, (images,), generator=random).to(place)
        recipe = replace(RECIPES["dinov2"], iterations=steps)
        return cls(LinearGrid(recipe, columns, classes, 0, place), table, targets)

    @property
    def images(self) -> Tensor:
        """All rows."""
        return torch.arange(len(self.targets), device=self.table.device)

    @torch.inference_mode()
    def together(self) -> None:
        """Trains the 52 heads in one pass."""
        self.grid.train([self.table], self.targets, self.images)
        self._wait()

    @torch.inference_mode()
    def one_after_another(self) -> None:
        """Trains each head in a pass of its own, by the same code."""
        for head in self.grid.heads:
            self.grid.only(head).train([self.table], self.targets, self.images)
        self._wait()

    @torch.inference_mode()
    def products(self) -> None:
        """The matrix products of the heads: scores, and gradients of the weights."""
        recipe, count = self.grid.recipe, len(self.grid.recipe.learning_rates)
        rows = self.table[: recipe.batch_size]
        scores = self.table.new_empty(len(rows), count * self.grid.classes)
        inputs = []
        for part in self.grid.columns.values():
            batch = rows[:, part].contiguous()
            weight = batch.new_zeros(batch.shape[1], scores.shape[1])
            inputs.append((batch, weight, torch.empty_like(weight)))
        for _ in range(recipe.iterations or 0):
            for batch, weight, gradient in inputs:
                torch.mm(batch, weight, out=scores)
                torch.mm(batch.T, scores, out=gradient)
        self._wait()

    def torch_loop(self) -> None:
        """Trains each head in a loop as one writes it with torch."""
        recipe = self.grid.recipe
        for name, rate in self.grid.heads:
            rows = self.table[:, self.grid.columns[name]]
            layer = torch.nn.Linear(rows.shape[1], self.grid.classes, device=self.table.device)
            optimiser = torch.optim.SGD(layer.parameters(), rate * recipe.scale, momentum=0.9)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.iterations or 1)
            for step in recipe.steps(len(rows), 0):
                batch = torch.from_numpy(step.rows).to(self.table.device)
                optimiser.zero_grad()
                cross_entropy(layer(rows[batch]), self.targets[batch]).backward()
                optimiser.step()
                schedule.step()
        self._wait()

    def _wait(self) -> None:
        if self.table.device.type == "cuda":
            torch.cuda.synchronize(self.table.device)


def main(
    images: int = 50_000,
    width: int = 384,
    classes: int = 100,
    steps: int = 20,
    repeats: int = 3,
    device: str = "auto",
) -> None:
    """Prints the time of a step of the grid, and its ratio to the others.

    Args:
        images: Number of train images.
        width: Number of dimensions of a class token.
        classes: Number of classes.
        steps: Number of steps.
        repeats: Number of runs of each, in turn.
        device: Device to compute on.
    """
    work = Work.random(images, width, classes, steps, device)
    jobs: dict[str, Callable[[], object]] = {
        "52 heads together": work.together,
        "their matrix products": work.products,
        "one after another": work.one_after_another,
        "one after another, torch.nn": work.torch_loop,
    }
    seconds = median_seconds(jobs, repeats)
    ours = seconds["52 heads together"]
    rows = [
        {"work": name, "ms/step": 1e3 * each / steps, "heads together ÷ this": ours / each}
        for name, each in seconds.items()
    ]
    print(markdown(rows))
    print(f"\nMedians of {repeats} runs in turn on {describe_device(resolve_device(device))}:")
    print(f"{steps} steps on {images:,} images of {classes} classes, batches of")
    print(f"{work.grid.recipe.batch_size:,}, class tokens of {width} dimensions, in float32.")


if __name__ == "__main__":
    typer.run(main)
