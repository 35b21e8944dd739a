"""Embeds chunks of images: decoding ahead in threads, batches of one size, one forward each."""

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.datasets import ImageSet, unreadable
from lowlabel.errors import DataError, InputError
from lowlabel.features.backbone import Backbone
from lowlabel.features.extraction.options import ExtractionOptions
from lowlabel.features.views.random_view import RandomView

MAX_WAITING = 4  # batches of images held back until more images of their sizes are decoded

Pixels = NDArray[np.uint8]
Batch = list[tuple[int, Pixels]]


@dataclass(frozen=True)
class Chunk:
    """The embedded images of a block of rows.

    Attributes:
        rows: The rows.
        features: float32 [rows, D]; rows of bad images are not finite.
        bad: Which images could not be decoded, bool [rows].
    """

    rows: range
    features: NDArray[np.float32]
    bad: NDArray[np.bool_]


@dataclass(frozen=True)
class ChunkEmbedder:
    """Embeds images of one set with one backbone."""

    backbone: Backbone
    images: ImageSet
    options: ExtractionOptions

    @cached_property
    def width(self) -> int:
        """Number of dimensions of the features."""
        blank = torch.zeros(1, *self.backbone.transform.blank, 3, dtype=torch.uint8)
        return self.backbone.embed(blank).shape[1]

    def chunks(
        self, blocks: list[range], progress: Callable[[int], object] = lambda done: None
    ) -> Iterator[Chunk]:
        """Yields the chunk of each block of rows, in order.

        Args:
            blocks: The rows.
            progress: Called with the number of images that are embedded so far.

        Raises:
            DataError: If features are not finite, or an image changes or cannot be read.
        """
        before = 0
        with ThreadPoolExecutor(self.options.workers) as pool:
            decoded = self._decode_ahead(pool, chain.from_iterable(blocks))
            for rows in blocks:
                yield self._chunk(rows, decoded, progress, before)
                before += len(rows)

    def _chunk(
        self,
        rows: range,
        decoded: Iterator[Pixels | None],
        progress: Callable[[int], object],
        done: int,
    ) -> Chunk:
        features = torch.full((len(rows), self.width), torch.nan)
        bad = np.zeros(len(rows), dtype=bool)
        for batch in self._batches(len(rows), decoded, bad):
            pixels = torch.from_numpy(np.stack([pixels for _, pixels in batch]))
            features[[row for row, _ in batch]] = self._embedded(pixels)
            done += len(batch)
            progress(done)
        broken = np.flatnonzero(~np.isfinite(features.numpy()).all(axis=1) & ~bad)
        if len(broken):
            raise DataError(
                f"the features of {self.backbone.name} are not finite for {len(broken)} images, "
                f"the first is {self.images.paths[rows[broken[0]]]}",
                "Use --dtype float32, or check the weights.",
            )
        self.images.check_unchanged(rows)
        return Chunk(rows, features.numpy(), bad)

    def _embedded(self, pixels: torch.Tensor) -> torch.Tensor:
        try:
            found = self.backbone.embed(pixels).cpu()
        except torch.cuda.OutOfMemoryError as error:
            raise InputError(
                f"{len(pixels)} images of {self.backbone.name} do not fit in the device's memory",
                f"Give a smaller --batch-size than {self.options.batch_size}.",
            ) from error
        if found.shape[1] != self.width:
            raise InputError(
                f"{self.backbone.name} gives vectors of {found.shape[1]} numbers for some images "
                f"and of {self.width} for others",
                "A network must give every image a vector of one length.",
            )
        return found

    def _batches(
        self, rows: int, decoded: Iterator[Pixels | None], bad: NDArray[np.bool_]
    ) -> Iterator[Batch]:
        """Groups decoded images of one size into batches; marks undecodable ones in `bad`."""
        waiting: defaultdict[tuple[int, ...], Batch] = defaultdict(list)
        for row in range(rows):
            pixels = next(decoded)
            if pixels is None:
                bad[row] = True
                continue
            batch = waiting[pixels.shape]
            batch.append((row, pixels))
            if len(batch) == self.options.batch_size:
                yield waiting.pop(pixels.shape)
            elif sum(map(len, waiting.values())) >= MAX_WAITING * self.options.batch_size:
                yield waiting.pop(max(waiting, key=lambda shape: len(waiting[shape])))
        yield from waiting.values()

    def _decode_ahead(
        self, pool: ThreadPoolExecutor, rows: Iterable[int]
    ) -> Iterator[Pixels | None]:
        """Decodes the images of rows in order, ahead of the reader; None for a bad image."""
        ahead: deque[Future[Pixels | None]] = deque()
        for row in rows:
            ahead.append(pool.submit(self.decode, row))
            if len(ahead) > 2 * self.options.batch_size + self.options.workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()

    def can_decode(self, paths: Collection[str]) -> bool:
        """Whether any of these images can be decoded."""
        listed = set(paths)
        rows = (row for row, path in enumerate(self.images.paths) if path in listed)
        return any(self.decode(row) is not None for row in rows)

    def decode(self, row: int) -> Pixels | None:
        """Decodes an image; None if its file is damaged.

        Raises:
            DataError: If the file cannot be read now, which is no damage.
        """
        path = self.images.root / self.images.paths[row]
        box = self.images.boxes[row] if self.images.boxes else None
        try:
            transform = self.backbone.transform
            if isinstance(transform, RandomView):
                return transform.read(path, box, row)
            return transform.read(path, box)
        except (OSError, ValueError, SyntaxError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise unreadable(path, error) from error
            return None
