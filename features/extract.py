"""Extraction of embeddings into the store; only missing ones are computed."""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.datasets import ImageSet, unreadable
from lowlabel.datasets.io.pixels import with_refusal
from lowlabel.errors import DataError, InputError
from lowlabel.features.backbone import Backbone
from lowlabel.features.earlier import take_over
from lowlabel.features.engines import check_engine, with_engine
from lowlabel.features.key import FeatureKey
from lowlabel.features.models.head_features import from_base_features
from lowlabel.features.partial_file import PartialFile
from lowlabel.features.store import bad_images, feature_path, locked, read_features
from lowlabel.features.table import EmbeddingTable
from lowlabel.features.views.random_view import RandomView
from lowlabel.progress import Progress, progress_bar

CHUNK_ROWS = 512
MAX_WAITING = 4  # batches of images held back until more images of their sizes are decoded
_MAX_LISTED = 20

Pixels = NDArray[np.uint8]
Batch = list[tuple[int, Pixels]]


@dataclass(frozen=True)
class ExtractionOptions:
    """Options of the extraction that do not change the features.

    Attributes:
        batch_size: Number of images in one forward pass.
        workers: Number of threads that decode images.
        skip_bad_images: Leave out and count images that cannot be decoded, instead of stopping.
        engine: What runs the network: "torch", "openvino", or "auto" for OpenVINO on a CPU where
            it is installed and converts the network. Both give the same features to rounding.
    """

    batch_size: int = 32
    workers: int = 4
    skip_bad_images: bool = False
    engine: str = "auto"

    def __post_init__(self) -> None:
        for name in ("batch_size", "workers"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} must be at least 1")
        check_engine(self.engine)


def extract_features(
    backbone: Backbone,
    images: ImageSet,
    options: ExtractionOptions | None = None,
    progress: Progress | None = None,
) -> EmbeddingTable:
    """Embeds an image set, or reads its embeddings from the store.

    An interrupted run resumes at its last complete chunk of 512 images. Two processes never
    extract the same features: the second waits for the first.

    Args:
        backbone: The model.
        images: The images.
        options: Batch size, decoding threads and the treatment of bad images.
        progress: Called with (images done, all images).

    Returns:
        The features in the order of `images`, without the rows of bad images.

    Raises:
        DataError: If images cannot be decoded (extracted features are kept), features are not
            finite, or the store cannot be written or read.
    """
    return read_features(store_features(backbone, images, options, progress))


def extract_shown(
    backbone: Backbone, images: ImageSet, options: ExtractionOptions
) -> EmbeddingTable:
    """Calls `extract_features` with a progress bar."""
    with progress_bar(f"{backbone.name} on {images.dataset} {images.part}", "img") as progress:
        return extract_features(backbone, images, options, progress)


def store_features(
    backbone: Backbone,
    images: ImageSet,
    options: ExtractionOptions | None = None,
    progress: Progress | None = None,
) -> FeatureKey:
    """Extracts like `extract_features`, but returns the key to read the features by blocks.

    For image sets whose features do not fit in memory; see `stored_rows`.
    """
    options, key = options or ExtractionOptions(), FeatureKey.of(backbone, images)
    extraction = _Extraction(
        backbone, images, PartialFile(key, images, CHUNK_ROWS), options, progress or _silent
    )
    _extract_if_missing(extraction)
    bad = bad_images(key)
    if bad and extraction.can_decode(bad):  # the reader was at fault, and can read them now
        feature_path(key).unlink()
        _extract_if_missing(extraction)
        bad = bad_images(key)
    if bad and not options.skip_bad_images:
        raise _bad_images(bad, images)
    return key


def _extract_if_missing(extraction: "_Extraction") -> None:
    key, images = extraction.file.key, extraction.images
    if feature_path(key).exists():
        return
    with locked(key, f"waiting for another process to extract {images.dataset} …"):
        if not (
            feature_path(key).exists()
            or take_over(extraction.file, extraction.backbone, extraction.decode)
            or from_base_features(extraction.file, extraction.backbone)
        ):
            extraction.run()


@dataclass(frozen=True)
class _Extraction:
    """Embeds one image set with one backbone into one file."""

    backbone: Backbone
    images: ImageSet
    file: PartialFile
    options: ExtractionOptions
    progress: Progress

    @cached_property
    def width(self) -> int:
        """Number of dimensions of the features."""
        blank = torch.zeros(1, *self.backbone.transform.blank, 3, dtype=torch.uint8)
        return self.backbone.embed(blank).shape[1]

    def run(self) -> None:
        pending = self.file.pending()
        done = len(self.images) - sum(map(len, pending))
        engine = check_engine(self.options.engine)
        backbone = with_engine(self.backbone, engine, len(self.images) - done)
        self.file.engine = backbone.engine
        self.progress(done, len(self.images))
        with ThreadPoolExecutor(self.options.workers) as pool:
            decoded = self._decode_ahead(pool, chain.from_iterable(pending))
            for rows in pending:
                self._chunk(backbone, rows, decoded, done)
                done += len(rows)
        self.file.finish()

    def _chunk(
        self, backbone: Backbone, rows: range, decoded: Iterator[Pixels | None], done: int
    ) -> None:
        features = torch.full((len(rows), self.width), torch.nan)
        bad, before = np.zeros(len(rows), dtype=bool), done
        for batch in self._batches(len(rows), decoded, bad):
            pixels = torch.from_numpy(np.stack([pixels for _, pixels in batch]))
            features[[row for row, _ in batch]] = backbone.embed(pixels).cpu()
            done += len(batch)
            self.progress(done, len(self.images))
        broken = np.flatnonzero(~np.isfinite(features.numpy()).all(axis=1) & ~bad)
        if len(broken):
            raise DataError(
                f"the features of {self.backbone.name} are not finite for {len(broken)} images, "
                f"the first is {self.images.paths[rows[broken[0]]]}",
                "Use --dtype float32, or check the weights.",
            )
        self.images.check_unchanged(rows)
        self.file.write(rows[0], features.numpy(), bad)
        self.progress(before + len(rows), len(self.images))

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


def _bad_images(paths: tuple[str, ...], images: ImageSet) -> DataError:
    listed = "\n".join(f"  {with_refusal(images.root, path)}" for path in paths[:_MAX_LISTED])
    if len(paths) > _MAX_LISTED:
        listed += f"\n  … and {len(paths) - _MAX_LISTED} more"
    return DataError(
        f"{len(paths)} of {len(images):,} images under {images.root} cannot be decoded:\n{listed}",
        "Fix or remove them, or add --skip-bad-images to leave them out and count them.",
    )


def _silent(done: int, total: int) -> None:
    """Ignores progress."""
