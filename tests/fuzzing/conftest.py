"""Mutated files for readers, and what a reader may do with them.

LOWLABEL_FUZZ is the number of mutations of each file; `make fuzz` sets thousands. Another
LOWLABEL_FUZZ_SEED makes other mutations.
"""

import io
import itertools
import os
import random
import resource
import signal
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from lowlabel.errors import UserError

COUNT = int(os.environ.get("LOWLABEL_FUZZ", "20"))
SEED = os.environ.get("LOWLABEL_FUZZ_SEED", "")
MOST_S = 20.0  # of the reader's own computing, which a busy machine does not lengthen
CHECKED_S = 1.0
MOST_LOOKS = 300  # at a reader that waits; a process that is stopped is not looked at
MOST_KIB = 1 << 20
EXTREMES = [b"\0", b"\xff", b"\x7f", b"\x80"]
WORDS = [
    b"-1",
    b"1e999",
    b"NaN",
    b"null",
    b"[" * 3000,
    b"{",
    b'"',
    b"9" * 40,
    b"\n",
    b"\xe9",
    b"../",
]
FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect")

_watching: list[tuple[Path, list[str]]] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if not _watching:
        return
    folder, seen = _watching[-1]
    if event in FORBIDDEN and arguments[0] != sys.executable:
        seen.append(f"{event} {arguments[:1]}")
    elif event == "open" and isinstance(arguments[0], str):
        writes = isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if writes and not Path(arguments[0]).is_relative_to(folder):
            seen.append(f"writes {arguments[0]}")


sys.addaudithook(_audit)


def mutated(data: bytes, draw: random.Random) -> bytes:
    """One to four changes of a file's bytes."""
    out = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4))):
        start = draw.randrange(len(out) + 1)
        length = draw.choice((1, 1, 2, 4, 8, 64))
        kind = draw.randrange(8)
        if kind == 0 and out:
            out[start % len(out)] ^= 1 << draw.randrange(8)
        elif kind == 1:
            out[start : start + length] = draw.choice(EXTREMES) * length
        elif kind == 2:
            del out[start : start + length]
        elif kind == 3:
            del out[start:]
        elif kind == 4:
            other = draw.randrange(len(out) + 1)
            out[start:start] = out[other : other + length]
        elif kind == 5:
            out[start : start + length] = draw.randbytes(length)
        elif kind == 6:
            out[start : start + draw.choice((0, 1, 4))] = draw.choice(WORDS)
        else:
            out[start : start + 8] = draw.choice((2**31, 2**32, 2**40, 2**63)).to_bytes(8, "little")
    return bytes(out)


def mutated_member(data: bytes, draw: random.Random) -> bytes:
    """The changes are inside a member of a zip archive, whose checksums are right again."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
        kind = archive.infolist()[0].compress_type
    chosen = draw.choice(sorted(members))
    members[chosen] = mutated(members[chosen], draw)
    rebuilt = io.BytesIO()
    with zipfile.ZipFile(rebuilt, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return rebuilt.getvalue()


@contextmanager
def watched(folder: Path, what: str) -> Iterator[None]:
    """Fails if the block takes too long, starts a program, or writes outside a folder."""

    computed, looks = time.thread_time(), itertools.count(1)

    def look(*_: object) -> None:
        computes, times = time.thread_time() - computed, next(looks)
        if computes > MOST_S or times > MOST_LOOKS:
            raise BaseException(f"{what} hangs: {computes:.1f} s computed, looked at {times} times")

    seen: list[str] = []
    before = signal.signal(signal.SIGALRM, look)
    _watching.append((folder, seen))
    signal.setitimer(signal.ITIMER_REAL, CHECKED_S, CHECKED_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        _watching.pop()
    assert not seen, f"{what}: {seen}"


@pytest.fixture
def attack(tmp_path: Path) -> Callable[..., int]:
    """Reads mutations of a file: the reader returns, or raises a `UserError` or one of `allowed`.

    Returns the number of mutations that were refused.
    """

    def run(
        path: Path,
        read: Callable[[Path], object],
        *,
        inside: bool = False,
        allowed: tuple[type[Exception], ...] = (),
        share: float = 1.0,
    ) -> int:
        data, refused = path.read_bytes(), 0
        read(path)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for seed in range(max(1, round(COUNT * share))):
            draw = random.Random(f"{path.name} {seed}{SEED}")
            change = mutated_member if inside and draw.random() < 0.7 else mutated
            bad = path.with_name(f"bad-{path.name}")
            with suppress(OSError):
                bad.unlink()
            bad.write_bytes(change(data, draw))
            what = f"mutation {seed} of {path.name}"
            try:
                with watched(tmp_path, what):
                    read(bad)
            except (UserError, *allowed):
                refused += 1
            except Exception as error:
                raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
        assert grown < MOST_KIB, f"{path.name}: {grown >> 10} MiB more memory"
        return refused

    return run
