"""Reads a file in a process of its own first, where a library hangs or crashes on damage."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

_POLL_S = 0.02
_PATIENCE_S = 60.0  # for a block of 16 MiB on a slow disk
_tried: set[tuple[object, ...]] = set()


def read_apart(
    path: Path,
    script: str,
    library: str,
    meanings: Mapping[int, str] = MappingProxyType({}),
    arguments: Sequence[str] = (),
) -> None:
    """Reads a file in another process, once for each of its states.

    An error that the library tells is no matter: it comes again where the file is read.

    Args:
        path: The file.
        script: Name of a script in this folder that reads the file in its argument, and prints a
            line after each part of it.
        library: What reads it, for the message.
        meanings: What exit codes of the script say of the file.
        arguments: Further arguments of the script, such as what to read: damage that another
            reading does not reach may crash this one.

    Raises:
        ValueError: If the process crashes, is silent for a minute, or ends with one of these codes.
    """
    status = path.stat()
    state = (path.resolve(), status.st_size, status.st_mtime_ns, status.st_ino, *arguments)
    if state in _tried:
        return
    command = [sys.executable, "-I", str(Path(__file__).with_name(script)), str(path)]
    command += arguments
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            code = _finished(process)
        finally:
            process.kill()  # if an interrupt ended the wait
    if code is None:
        raise ValueError(f"it is damaged: {library} does not come to an end of it")
    if code in meanings:
        raise ValueError(meanings[code])
    if code < 0:
        raise ValueError(f"it is damaged: {library} crashes on it")
    _tried.add(state)


def _finished(process: "subprocess.Popen[bytes]") -> int | None:
    """The exit code of a process that prints lines; None after a long silence, which ends it."""
    assert process.stdout
    os.set_blocking(process.stdout.fileno(), False)
    last = time.monotonic()
    while process.poll() is None:
        if process.stdout.read():
            last = time.monotonic()
        if time.monotonic() - last > _PATIENCE_S:
            return None
        time.sleep(_POLL_S)
    return process.returncode
