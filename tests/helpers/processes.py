"""Commands in processes of their own that start at once: a server that has imported all forks them.

The server is started by the first command of a test session.
"""

import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, set_start_method
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

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
        self,
        *arguments: object,
        chunk: int = 4,
        pause: float = 0,
        most_bytes: int = -1,
        **environment: str,
    ) -> Command:
        """Starts one.

        Args:
            arguments: Of the command line.
            chunk: Number of images in a chunk of an extraction.
            pause: Seconds to sleep before each chunk.
            most_bytes: Size that no file may exceed, as on a disk that is full; -1 for none.
            environment: Further variables; the test's own LOWLABEL_HOME is passed on.
        """
        log = self.folder / f"command-{len(self.started)}.log"
        texts = [str(argument) for argument in arguments]
        process = _CONTEXT.Process(
            target=_run,
            args=(
                texts,
                chunk,
                pause,
                most_bytes,
                _passed_on() | environment,
                log,
                str(Path.cwd()),
            ),
        )
        process.start()
        self.started.append(Command(process, log))
        while not log.exists() and process.is_alive():  # signals are not handled before that
            time.sleep(0.001)
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


def start_code(code: str, log: Path, *arguments: object, **environment: str) -> Command:
    """Starts a Python program, given as text.

    Args:
        code: The program; `sys.argv` holds the arguments after its first element.
        log: File for all that it prints.
        arguments: Of the program.
        environment: Further variables; the test's own LOWLABEL_HOME is passed on.
    """
    texts = [str(argument) for argument in arguments]
    process = _CONTEXT.Process(target=_execute, args=(code, texts, _passed_on() | environment, log))
    process.start()
    return Command(process, log)


class HereExecutor:
    """Runs what is submitted at once, in this process; what raises leaves nothing but its log.

    Args:
        folder: Folder of the logs.
        ran: Suite, model and dataset of every job are added to it.
    """

    def __init__(self, folder: Path, ran: list[tuple[str, str, str]]) -> None:
        self.folder, self.ran = folder, ran

    def submit(self, run: Any) -> SimpleNamespace:
        """Runs a job of a sweep."""
        log = self.folder / f"{len(self.ran)}.err"
        log.parent.mkdir(parents=True, exist_ok=True)
        self.ran.append((run._request.suite, run._request.model[0], run._dataset))
        try:
            run()
        except RuntimeError as error:
            log.write_text(str(error))
        return SimpleNamespace(
            job_id=len(self.ran), paths=SimpleNamespace(stderr=log), done=lambda: True
        )


def jobs_here(ran: list[tuple[str, str, str]], replace: Callable[..., None] = setattr) -> None:
    """Makes the local launcher run jobs in this process; see `HereExecutor`."""
    import submitit

    from lowlabel.processes.launchers import Local

    alone = SimpleNamespace(TorchDistributedEnvironment=lambda: SimpleNamespace(export=str))
    replace(submitit, "helpers", alone)
    replace(Local, "executor", lambda self, folder, _: HereExecutor(folder, ran))


def _run(
    arguments: list[str],
    chunk: int,
    pause: float,
    most_bytes: int,
    environment: dict[str, str],
    log: Path,
    folder: str,
) -> None:
    os.environ.update(environment)
    os.chdir(environment.get("FOLDER", folder))
    set_start_method("fork", force=True)  # as in a command that no server has started
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # whatever started the tests
        signal.signal(each, signal.SIG_DFL)
    _print_to(log)
    from lowlabel.cli import main
    from lowlabel.features import extract
    from lowlabel.features.extraction.chunks import ChunkEmbedder

    jobs_here([])
    embed = ChunkEmbedder._chunk

    def slowly(*values: object) -> object:
        time.sleep(pause)
        return embed(*values)

    extract.CHUNK_ROWS = chunk
    ChunkEmbedder._chunk = slowly
    if most_bytes >= 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    with _flushed():
        main(arguments)


def _execute(code: str, arguments: list[str], environment: dict[str, str], log: Path) -> None:
    os.environ.update(environment)
    _print_to(log)
    sys.argv = ["-c", *arguments]
    with _flushed():
        exec(code, {"__name__": "__main__"})


def _passed_on() -> dict[str, str]:
    named = ("LOWLABEL_HOME", "HF_HUB_OFFLINE")
    return {name: os.environ[name] for name in named if name in os.environ}


def _print_to(log: Path) -> None:
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


@contextmanager
def _flushed() -> Iterator[None]:
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
