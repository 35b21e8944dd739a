"""The retrieval scores of the validation classes during training."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from lowlabel.datasets import ImageSet
from lowlabel.datasets.io.pixels import with_refusal
from lowlabel.errors import DataError
from lowlabel.features.backbone import is_convolutional
from lowlabel.features.transforms import ImageTransform
from lowlabel.processes.world import World
from lowlabel.training.finetuning.model import TunedModel
from lowlabel.training.finetuning.validation import validation_scores

_BATCH = 64


class ValidationProbe:
    """Recall@1 and MAP@R of the validation classes; the processes share the images.

    Args:
        images: Images of the validation classes.
        transform: Preprocessing of the base model.
        world: The processes that train together.
        workers: Threads that read images.
    """

    def __init__(
        self, images: ImageSet, transform: ImageTransform, world: World, workers: int
    ) -> None:
        self._images, self._transform, self._world = images, transform, world
        self._workers = max(workers, 1)

    @torch.no_grad()
    def score(self, model: TunedModel) -> dict[str, float]:
        """Scores in percent, equal in all processes. The model keeps its mode.

        Raises:
            DataError: If an image cannot be read.
        """
        was_training = model.training
        model.eval()
        embeddings = self._embed(model)
        model.train(was_training)
        if self._world.size > 1:
            dist.all_reduce(embeddings)
        return validation_scores(embeddings, self._images.labels, self._world.device)

    def _embed(self, model: TunedModel) -> torch.Tensor:
        """Embeddings [N, D], with zeros in the rows of the other processes."""
        rows = range(self._world.rank, len(self._images), self._world.size)
        found: list[torch.Tensor] = []
        channels_last = is_convolutional(model)
        with ThreadPoolExecutor(self._workers) as pool:
            for first in range(0, len(rows), _BATCH):
                pixels = list(pool.map(self._read, rows[first : first + _BATCH]))
                batch = torch.from_numpy(np.stack(pixels)).to(self._world.device)
                view = self._transform.normalise(batch, torch.float32)
                form = torch.channels_last if channels_last else torch.contiguous_format
                found.append(model(view.contiguous(memory_format=form)).float())
        width = model.embedding_head.shape.dimension
        embeddings = torch.zeros(len(self._images), width, device=self._world.device)
        if found:
            embeddings[list(rows)] = torch.cat(found)
        return embeddings

    def _read(self, row: int) -> NDArray[np.uint8]:
        path = self._images.root / self._images.paths[row]
        try:
            return self._transform.read(path)
        except (OSError, ValueError, SyntaxError) as error:
            named = self._images.root / with_refusal(self._images.root, self._images.paths[row])
            raise DataError(
                f"an image of the validation classes cannot be read: {named}",
                "Fix or remove it. The same command then resumes at the last checkpoint.",
            ) from error
