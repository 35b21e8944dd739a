"""Commands in processes of their own that start at once: a server that has imported all forks them.

The server is started by the first command of a test session.
"""

import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["lowlabel.cli", "lowlabel.benchmarks.runner", "lowlabel.training"])


@dataclass
class Command:
    """A running command.

    Attributes:
        process: Its process.
        log: The file of all that it prints.
    """

    process: ForkServerProcess
    log: Path

    def end(self, seconds: float = 300) -> tuple[int | None, str]:
        """Waits for the end; returns the exit code, negative for a signal, and what was printed."""
        self.process.join(seconds)
        return self.process.exitcode, self.log.read_text(encoding="utf-8")


@contextmanager
def commands(folder: Path) -> Iterator["Launcher"]:
    """Gives a launcher of commands; those that still run at the end are killed."""
    launcher = Launcher(folder, [])
    try:
        yield launcher
    finally:
        for command in launcher.started:
            command.process.kill()
            command.process.join()


@dataclass
class Launcher:
    """Starts commands of `lowlabel`.

    Attributes:
        folder: Folder for what they print.
        started: What was started.
    """

    folder: Path
    started: list[Command]

    def start(
        self, *arguments: object, chunk: int = 4, pause: float = 0, **environment: str
    ) -> Command:
        """Starts one.

        Args:
            arguments: Of the command line.
            chunk: Number of images in a chunk of an extraction.
            pause: Seconds to sleep before each chunk.
            environment: Further variables; the test's own LOWLABEL_HOME is passed on.
        """
        log = self.folder / f"command-{len(self.started)}.log"
        variables = {name: os.environ[name] for name in ("LOWLABEL_HOME", "HF_HUB_OFFLINE")}
        texts = [str(argument) for argument in arguments]
        process = _CONTEXT.Process(
            target=_run, args=(texts, chunk, pause, variables | environment, log, str(Path.cwd()))
        )
        process.start()
        self.started.append(Command(process, log))
        return self.started[-1]

    def start_team(self, *arguments: object, pauses: Mapping[int, float] = {}) -> list[Command]:
        """Starts one in two processes, as torchrun does."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        world = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
        return [
            self.start(
                *arguments, pause=pauses.get(rank, 0), **world, RANK=str(rank), LOCAL_RANK=str(rank)
            )
            for rank in range(2)
        ]


def _run(
    arguments: list[str],
    chunk: int,
    pause: float,
    environment: dict[str, str],
    log: Path,
    folder: str,
) -> None:
    os.environ.update(environment)
    os.chdir(environment.get("FOLDER", folder))
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    from lowlabel.cli import main
    from lowlabel.features import extract
    from lowlabel.features.extraction.chunks import ChunkEmbedder

    embed = ChunkEmbedder._chunk

    def slowly(*values: object) -> object:
        time.sleep(pause)
        return embed(*values)

    extract.CHUNK_ROWS = chunk
    ChunkEmbedder._chunk = slowly
    try:
        main(arguments)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
