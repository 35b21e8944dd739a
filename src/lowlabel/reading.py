"""Reading files that may be damaged or hostile: one list of what readers raise, and size limits."""

import csv
import errno
import lzma
import os
import pickle
import stat
import struct
import tarfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lowlabel.errors import DataError, UserError

# What readers of the standard library, numpy, h5py, torch and Pillow raise on damaged bytes.
DAMAGE: tuple[type[Exception], ...] = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(AssertionError, RuntimeError, SyntaxError, MemoryError, SystemError, BufferError),
    *(struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError),
    *(pickle.UnpicklingError, csv.Error, tokenize.TokenError),
)
_SMALL = 64 << 20  # bytes that are never refused
_MOST_EXPANSION = 200  # times the bytes on the disk; embeddings hardly compress
_CHECK = "Check its permissions and its disk, then repeat the command."
_OVERLOADS = ", but expected one of:"  # before torch lists every form of a function
_SPACE = "Free some space on its disk, then repeat the command."
_FIXES = {
    errno.EMFILE: "Allow more open files, then repeat the command (ulimit -n 4096).",
    errno.ENFILE: "Close other programs, then repeat the command.",
    errno.ENAMETOOLONG: "Give a shorter path.",
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
}
# What the system refuses for reasons that are no defect of the program.
_REFUSALS = frozenset(
    (*_FIXES, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ELOOP, errno.ENOTDIR)
) | {errno.EISDIR, errno.EEXIST}


@contextmanager
def reading(
    path: Path | str, problem: str = "", fix: str = "", also: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turns what a reader raises on a file into a `DataError`.

    Args:
        path: The file.
        problem: What is said of a damaged file; "cannot read PATH" by default.
        fix: How to get an intact one.
        also: Further exceptions of a library that mean a damaged file.

    Raises:
        DataError: If the block raises one of `DAMAGE` or `also`. Errors of the system (permissions,
            disk, open files) are no damage, and are told as such. A `UserError` stays as it is.
            If the path is a pipe or a device, which reading would wait for, or read twice in vain.
    """
    require_no_stream(path)
    try:
        yield
    except UserError:
        raise
    except (*DAMAGE, *also) as error:
        if isinstance(error, FileNotFoundError):
            why = f"{error.strerror or error}"
            raise DataError(f"{problem or f'cannot read {path}'}: {why}", fix or _CHECK) from error
        if isinstance(error, OSError) and error.errno is not None:
            raise system_error(path, error) from error
        raise DataError(f"{problem or f'cannot read {path}'}: {reason(error)}", fix) from error


def require_no_stream(path: Path | str) -> None:
    """Raises a `DataError` for a pipe, a socket or a device."""
    with suppress(OSError, ValueError):  # such as none, which is told by who reads it
        mode = os.stat(path).st_mode  # noqa: PTH116 (also for a text)
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise DataError(
                f"cannot read {path}: it is a pipe or a device, not a file",
                "Give a file on a disk.",
            )


def system_error(path: Path | str, error: OSError) -> DataError:
    """The error for a file that the system does not hand out."""
    return DataError(
        f"cannot read {path}: {error.strerror or error}", _FIXES.get(error.errno or 0, _CHECK)
    )


def refusal(error: OSError) -> DataError | None:
    """The error for what the system refuses anywhere; None for what may be a defect."""
    if error.errno not in _REFUSALS:
        return None
    place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    return DataError(f"{place}{error.strerror}", _FIXES.get(error.errno, _CHECK))


def reason(error: BaseException) -> str:
    """What an exception says, in one line."""
    if isinstance(error, RecursionError):
        return "it nests too deeply"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    text = " ".join(str(error).split()).partition(_OVERLOADS)[0]
    if isinstance(error, KeyError):
        return f"it has no {text}"
    return text or type(error).__name__


def require_room(what: str, needed: int, stored: int, fix: str = "") -> None:
    """Refuses to read what would need far more memory than the file holds bytes, or than there is.

    Call it before anything is allocated.

    Args:
        what: What is read, for the message: "features of PATH".
        needed: Bytes that it needs in memory.
        stored: Bytes that it takes in the file.
        fix: How to get another file.

    Raises:
        DataError: If more than 64 MiB are needed, and these are more than 200 times the bytes in
            the file, or more than the memory of this computer.
    """
    if needed <= _SMALL:
        return
    if needed > _MOST_EXPANSION * stored:
        raise DataError(
            f"{what} would need {needed:,} bytes of memory, but its file holds {max(stored, 0):,} "
            "bytes of it: it is not read",
            fix or "Save it again, from the data that it was made of.",
        )
    memory = physical_memory()
    if memory and needed > memory:
        raise DataError(
            f"{what} needs {needed / 2**30:,.1f} GiB of memory; this computer has "
            f"{memory / 2**30:,.1f} GiB",
            fix or "Use a computer with more memory, or a smaller file.",
        )


def physical_memory() -> int:
    """Bytes of memory of this computer; 0 if unknown."""
    with suppress(ValueError, OSError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 0
