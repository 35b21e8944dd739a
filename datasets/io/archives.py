"""Unpacks zip and tar archives, and never writes outside the given folder.

A tar file in a tar file is unpacked into a folder of its name, as ImageNet's training classes are.
"""

import errno
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, TypeVar

from lowlabel.errors import DataError
from lowlabel.progress import Progress
from lowlabel.reading import reading

Member = TypeVar("Member")
_TAR = ".tar"
_COPY_BYTES = 1 << 20
_SMALL = 1 << 30  # bytes that are never refused
_MOST_EXPANSION = 200  # times the bytes of the archive
_ENCRYPTED = 1  # of the flags of a zip member


def unpack(archive: Path, folder: Path, progress: Progress | None = None) -> None:
    """Unpacks `archive` (zip, tar, tar.gz, tar.bz2, tar.xz) into `folder`.

    All members are checked before the first is written; checksums are verified while unpacking.

    Args:
        archive: The file.
        folder: An existing folder.
        progress: Called with (members done, all members).

    Raises:
        DataError: If the file is missing, not an archive, damaged or truncated, if a member would
            land outside `folder` (an absolute path, `..`, a link), or if the disk is too small.
    """
    if not archive.is_file():
        if archive.is_symlink():
            raise DataError(
                f"{archive} is a broken link: it leads to {archive.readlink()}",
                "Mount its disk, or give the file that it should lead to.",
            )
        raise DataError(f"there is no file {archive}", "Check the path given with --archive.")
    problem = f"{archive} is damaged or truncated"
    with reading(archive, problem, "Fetch it again; nothing that was unpacked is kept."):
        try:
            _unpack(archive, folder, progress)
        except NotImplementedError as error:
            raise DataError(
                f"{archive} is compressed by a method that Python does not read: {error}",
                f"Unpack it with another program (7z x '{archive}') and give the folder.",
            ) from error
        except OSError as error:
            if error.errno is None:  # of a reader, about the bytes
                raise
            raise DataError(
                f"cannot unpack {archive} into {folder}: {error.strerror or error}",
                "Allow more open files, then repeat the command (ulimit -n 4096)."
                if error.errno == errno.EMFILE
                else "Make room or fix the permissions, or set LOWLABEL_HOME to another folder.",
            ) from error


def _unpack(archive: Path, folder: Path, progress: Progress | None) -> None:
    if zipfile.is_zipfile(archive):
        _unpack_zip(archive, folder, progress)
    elif tarfile.is_tarfile(archive):
        _unpack_tar(archive, folder, progress)
    else:
        raise DataError(
            f"{archive} is not a zip or tar archive, or is cut off",
            "Fetch it again and compare its size with the published file's.",
        )


def _unpack_zip(archive: Path, folder: Path, progress: Progress | None) -> None:
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        for member in members:
            if stat.S_ISLNK(member.external_attr >> 16):
                raise _unsafe(archive, member.filename, "is a link")
            _check_name(archive, member.filename)
            if member.flag_bits & _ENCRYPTED:
                raise DataError(
                    f"{archive} is encrypted: its member {member.filename!r} needs a password",
                    f"Unpack it with its password (7z x '{archive}') and give the folder.",
                )
            member.filename = member.filename.replace("\\", "/")  # as some Windows tools write
        _Room(archive, folder).check(sum(member.file_size for member in members))
        write = _Writer(folder)
        for member in _counted(members, progress):
            if member.is_dir():
                write.folder(member.filename)
                continue
            with opened.open(member) as source:
                write.file(member.filename, source)


def _unpack_tar(archive: Path, folder: Path, progress: Progress | None) -> None:
    with tarfile.open(archive) as opened:
        count, size, room = 0, 0, _Room(archive, folder)
        for member in _all_members(archive, opened):
            count, size = count + 1, size + member.size
            room.check(size)  # at once, since going on reads all of it
        for done, _ in enumerate(_extracted(opened, _Writer(folder)), start=1):
            if progress:
                progress(done, count)


def _all_members(archive: Path, opened: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Checks the members of a tar file and of those in it; a million are not kept in memory."""
    for member in opened:
        if not (member.isfile() or member.isdir()):
            raise _unsafe(archive, member.name, "is a link or a device")
        _check_name(archive, member.name)
        if _is_tar(member):
            _check_name(archive, member.name.removesuffix(_TAR))  # its folder: "...tar" is ".."
            with _inner(opened, member) as inner:
                yield from _all_members(archive, inner)
        else:
            yield member


def _extracted(opened: tarfile.TarFile, write: "_Writer") -> Iterator[tarfile.TarInfo]:
    """Unpacks the members one by one."""
    for member in opened.getmembers():
        if _is_tar(member):
            with _inner(opened, member) as inner:
                yield from _extracted(inner, write.below(member.name.removesuffix(_TAR)))
        else:
            source = opened.extractfile(member)  # None of a folder
            if source is None:
                write.folder(member.name)
            else:
                write.file(member.name, source, member.size)
            yield member


class _Room:
    """The room for what an archive unpacks to."""

    def __init__(self, archive: Path, folder: Path) -> None:
        self._archive = archive
        places = [folder.resolve(), *folder.resolve().parents]  # its own name is a temporary one
        self._disk = next(place for place in places if os.path.ismount(place))
        self._stored = archive.stat().st_size
        self._free = shutil.disk_usage(folder).free

    def check(self, needed: int) -> None:
        """Raises a `DataError` if so many bytes do not fit, or are those of a zip bomb."""
        if needed > max(_SMALL, _MOST_EXPANSION * self._stored):
            raise DataError(
                f"{self._archive} unpacks to more than {needed:,} bytes, and has {self._stored:,}: "
                "no images or lists are compressed so far",
                "Nothing was unpacked. If it is right, unpack it yourself and give the folder.",
            )
        if needed > self._free:
            raise DataError(
                f"{self._archive} unpacks to {needed / 2**20:,.1f} MiB or more, but the disk at "
                f"{self._disk} has {self._free / 2**20:,.1f} MiB free",
                "Make room, or set LOWLABEL_HOME to a folder on another disk.",
            )


class _Writer:
    """Writes members, whose names were checked, below a folder; permissions and times are not kept.

    Each folder is made once: a hundred thousand members take seconds.
    """

    def __init__(self, top: Path) -> None:
        self._top = str(top)
        self._made: set[str] = set()

    def below(self, name: str) -> "_Writer":
        """The writer of a folder below this one."""
        return _Writer(Path(self._top, name))

    def folder(self, name: str) -> None:
        """Makes a folder."""
        self._make(os.path.join(self._top, name.rstrip("/")))  # noqa: PTH118 a Path takes as long

    def file(self, name: str, source: IO[bytes], size: int | None = None) -> None:
        """Writes a file of the given size; an `EOFError` if there are fewer bytes."""
        path = os.path.join(self._top, name)  # noqa: PTH118
        self._make(os.path.dirname(path))  # noqa: PTH120
        with open(path, "wb") as target:  # noqa: PTH123
            shutil.copyfileobj(source, target, _COPY_BYTES)
            if size is not None and target.tell() != size:
                raise EOFError(f"{name} is cut off")

    def _make(self, folder: str) -> None:
        if folder not in self._made:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
            self._made.add(folder)


def _is_tar(member: tarfile.TarInfo) -> bool:
    return member.isfile() and member.name.endswith(_TAR)


def _inner(opened: tarfile.TarFile, member: tarfile.TarInfo) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=opened.extractfile(member), mode="r:")
    except tarfile.TarError as error:
        raise tarfile.ReadError(f"{member.name} in it: {error}") from error


def _check_name(archive: Path, name: str) -> None:
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    if posix.is_absolute() or windows.drive or ".." in posix.parts or ".." in windows.parts:
        raise _unsafe(archive, name, "would be written outside the folder")


def _unsafe(archive: Path, member: str, why: str) -> DataError:
    return DataError(
        f"{archive} is not safe to unpack: its member {member!r} {why}",
        "Nothing was unpacked. Fetch the archive from its publisher.",
    )


def _counted(members: Sequence[Member], progress: Progress | None) -> Iterator[Member]:
    for done, member in enumerate(members, start=1):
        yield member
        if progress:
            progress(done, len(members))
