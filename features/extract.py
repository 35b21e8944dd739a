"""Extraction of embeddings into the store; only missing ones are computed."""

from collections.abc import Iterator
from dataclasses import dataclass

from lowlabel.datasets import ImageSet
from lowlabel.datasets.io.pixels import with_refusal
from lowlabel.errors import DataError
from lowlabel.features.backbone import Backbone
from lowlabel.features.earlier import take_over
from lowlabel.features.extraction.chunks import Chunk, ChunkEmbedder
from lowlabel.features.extraction.options import ExtractionOptions
from lowlabel.features.extraction.shared import engaged, follow, lead_chunks, leading
from lowlabel.features.key import FeatureKey
from lowlabel.features.models.head_features import from_base_features
from lowlabel.features.partial_file import PartialFile
from lowlabel.features.store import bad_images, feature_path, locked, read_features
from lowlabel.features.table import EmbeddingTable
from lowlabel.processes.team import Team
from lowlabel.progress import Progress, progress_bar

CHUNK_ROWS = 512
_MAX_LISTED = 20


def extract_features(
    backbone: Backbone,
    images: ImageSet,
    options: ExtractionOptions | None = None,
    progress: Progress | None = None,
) -> EmbeddingTable:
    """Embeds an image set, or reads its embeddings from the store.

    An interrupted run resumes at its last complete chunk of 512 images. Two processes never
    extract the same features: the second waits for the first, unless they are a team.

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
    return read_features(store_shown(backbone, images, options))


def store_shown(backbone: Backbone, images: ImageSet, options: ExtractionOptions) -> FeatureKey:
    """Calls `store_features` with a progress bar; of a team, the first process shows it."""
    if options.team and not options.team.is_main:
        return store_features(backbone, images, options)
    with progress_bar(f"{backbone.title} on {images.dataset} {images.part}", "img") as progress:
        return store_features(backbone, images, options, progress)


def store_features(
    backbone: Backbone,
    images: ImageSet,
    options: ExtractionOptions | None = None,
    progress: Progress | None = None,
) -> FeatureKey:
    """Extracts like `extract_features`, but returns the key to read the features by blocks.

    For image sets whose features do not fit in memory (see `stored_rows`), and for a team, whose
    processes all call it and of which the first writes the file.
    """
    options = options or ExtractionOptions()
    embedder, team = ChunkEmbedder(backbone, images, options), options.team
    key = _agreed_key(team, embedder) if team else FeatureKey.of(backbone, images)
    if team and not team.is_main:
        follow(team, embedder)
        return key
    file = PartialFile(key, images, CHUNK_ROWS)
    extraction = _Extraction(embedder, file, progress or _silent, team)
    with leading(team):
        _extract_if_missing(extraction)
        bad = bad_images(key)
        if bad and embedder.can_decode(bad):  # the reader was at fault, and can read them now
            feature_path(key).unlink()
            _extract_if_missing(extraction)
            bad = bad_images(key)
        if bad and not options.skip_bad_images:
            raise _bad_images(bad, images)
    return key


def _agreed_key(team: Team, embedder: ChunkEmbedder) -> FeatureKey:
    """The key, which is the same in all processes; the first hashes the images before the others.

    Raises:
        TeamError: If the processes see other images or weights.
    """
    key = team.agreed(lambda: FeatureKey.of(embedder.backbone, embedder.images), main_first=True)
    team.check_same(key.json(), f"images of {embedder.images.dataset} or weights")
    return key


def _extract_if_missing(extraction: "_Extraction") -> None:
    embedder, key = extraction.embedder, extraction.file.key
    if feature_path(key).exists():
        return
    with locked(key, f"waiting for another process to extract {embedder.images.dataset} …"):
        if not (
            feature_path(key).exists()
            or take_over(extraction.file, embedder.backbone, embedder.decode)
            or from_base_features(extraction.file, embedder.backbone)
        ):
            extraction.run()


@dataclass(frozen=True)
class _Extraction:
    """Writes what an embedder makes, alone or with the others of a team, into one file."""

    embedder: ChunkEmbedder
    file: PartialFile
    progress: Progress
    team: Team | None = None

    def run(self) -> None:
        pending, total = self.file.pending(), len(self.embedder.images)
        rows = sum(map(len, pending))
        done, embedder = total - rows, engaged(self.embedder, rows)
        self.file.engine = embedder.backbone.engine
        self.progress(done, total)
        for chunk in self._chunks(embedder, pending, done):
            self.file.write(chunk.rows.start, chunk.features, chunk.bad)
            done += len(chunk.rows)
            self.progress(done, total)
        self.file.finish()

    def _chunks(self, embedder: ChunkEmbedder, pending: list[range], done: int) -> Iterator[Chunk]:
        total = len(embedder.images)

        def progress(more: int) -> None:
            self.progress(done + more, total)

        if self.team:
            return lead_chunks(self.team, embedder, pending, progress)
        return embedder.chunks(pending, progress)


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
