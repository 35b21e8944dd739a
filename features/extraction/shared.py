"""One extraction by several processes: each embeds a shard, and the first writes what all send.

A shard is a run of whole blocks, so that every chunk is computed as one process would compute it.
Rank 0 tells the others what to do; an error of one is an error of all, and what was sent before it
is written.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from threading import Event, Thread

from lowlabel.errors import DataError, UserError
from lowlabel.features.backbone import Backbone
from lowlabel.features.engines import check_engine, with_engine
from lowlabel.features.extraction.chunks import Chunk, ChunkEmbedder
from lowlabel.processes.team import Team, TeamError


@dataclass(frozen=True)
class _Work:
    """What rank 0 tells another process: the blocks to embed, of how many rows in all."""

    blocks: list[range]
    rows: int
    engine: str


@dataclass(frozen=True)
class _Ended:
    """The end of a shard or of an extraction, with the message and hint of an error, if any."""

    problem: tuple[str, str] | None = None

    def check(self) -> None:
        """Raises the error."""
        if self.problem:
            raise DataError(*self.problem)


def engaged(embedder: ChunkEmbedder, rows: int) -> ChunkEmbedder:
    """The embedder with the engine that is to embed a number of images."""
    engine = check_engine(embedder.options.engine)
    return replace(embedder, backbone=with_engine(embedder.backbone, engine, rows))


def shards(blocks: list[range], count: int) -> list[list[range]]:
    """Splits blocks into contiguous runs of nearly equal numbers of rows."""
    total, before = sum(map(len, blocks)), 0
    found: list[list[range]] = [[] for _ in range(count)]
    for rows in blocks:  # each belongs where its middle lies
        found[min(count - 1, (2 * before + len(rows)) * count // (2 * total))].append(rows)
        before += len(rows)
    return found


def lead_chunks(
    team: Team,
    embedder: ChunkEmbedder,
    blocks: list[range],
    progress: Callable[[int], object] = lambda done: None,
) -> Iterator[Chunk]:
    """Yields the chunks of blocks as rank 0: its own in order, and the others' as they come.

    Args:
        team: The processes.
        embedder: What embeds the images here.
        blocks: The rows.
        progress: Called with the number of images that are embedded here or received.

    Raises:
        DataError: The first error of any process, after what was sent before it.
        TeamError: If a process ended.
    """
    rows, (own, *others) = sum(map(len, blocks)), shards(blocks, team.size)
    for rank, shard in zip(team.others, others, strict=True):
        team.send(_Work(shard, rows, embedder.backbone.engine), rank)
    inbox = _Inbox(team)
    try:
        for chunk in embedder.chunks(own, lambda here: progress(here + inbox.received)):
            yield chunk
            yield from inbox.arrived()
    except UserError:
        inbox.stop.set()
        yield from inbox.rest()
        raise
    else:
        yield from inbox.rest()
    finally:
        inbox.close()
    inbox.check()


def follow(team: Team, embedder: ChunkEmbedder) -> None:
    """Embeds, as another process than rank 0, what it tells, until the extraction is at its end.

    Raises:
        DataError: The error that ended it, in whatever process.
        TeamError: If rank 0 ended.
    """
    while isinstance(work := team.receive(0), _Work):
        try:
            ready = engaged(embedder, work.rows)
            _check_engine(ready.backbone, work.engine, team.rank)
            for chunk in ready.chunks(work.blocks):
                team.send(chunk, 0)
                if team.receive(0):  # whether to stop
                    break
        except TeamError:
            raise
        except UserError as error:
            team.send(_Ended((error.message, error.hint)), 0)
        else:
            team.send(_Ended(), 0)
    assert isinstance(work, _Ended)
    work.check()


@contextmanager
def leading(team: Team | None) -> Iterator[None]:
    """Tells the others at the end of the block that the extraction ended, and with which error."""
    if team is None:
        yield
        return
    try:
        yield
    except TeamError:  # they notice it themselves
        raise
    except UserError as error:
        for rank in team.others:
            team.send(_Ended((error.message, error.hint)), rank)
        raise
    for rank in team.others:
        team.send(_Ended(), rank)


@dataclass
class _Inbox:
    """The chunks that other processes send; a thread for each of them receives."""

    team: Team
    stop: Event = field(default_factory=Event)
    messages: "SimpleQueue[Chunk]" = field(default_factory=SimpleQueue)
    errors: list[UserError] = field(default_factory=list)
    received: int = 0  # images

    def __post_init__(self) -> None:
        self._threads = [
            Thread(target=self._receive, args=(rank,), daemon=True) for rank in self.team.others
        ]
        for thread in self._threads:
            thread.start()

    def arrived(self) -> Iterator[Chunk]:
        """The chunks that were received so far.

        Raises:
            UserError: If a process failed.
        """
        while True:
            try:
                chunk = self.messages.get_nowait()
            except Empty:
                break
            self.received += len(chunk.rows)
            yield chunk
        self.check()

    def rest(self) -> Iterator[Chunk]:
        """All further chunks; if a process failed, those on the way."""
        while any(thread.is_alive() for thread in self._threads):
            try:
                yield self.messages.get(timeout=0.05)
            except Empty:
                continue
        while not self.messages.empty():
            yield self.messages.get()

    def close(self) -> None:
        """Stops the others after their present chunk."""
        self.stop.set()
        for thread in self._threads:
            thread.join()

    def check(self) -> None:
        """Raises the first error of the others, if there is one."""
        if self.errors:
            raise self.errors[0]

    def _receive(self, rank: int) -> None:
        try:
            while isinstance(message := self.team.receive(rank), Chunk):
                self.messages.put(message)
                self.team.send(self.stop.is_set(), rank)
            message.check()
        except UserError as error:
            self.errors.append(error)
            self.stop.set()


def _check_engine(backbone: Backbone, engine: str, rank: int) -> None:
    if backbone.engine != engine:
        names = [name or "torch" for name in (engine, backbone.engine)]
        raise DataError(
            f"process 0 computes with {names[0]}, process {rank} with {names[1]}",
            "Install the same packages for every process, or use --engine torch.",
        )
