import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from lowlabel.datasets.io import archives
from lowlabel.datasets.io.archives import unpack
from lowlabel.errors import DataError


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def make_tar(path: Path, members: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(("make", "name"), [(make_zip, "a.zip"), (make_tar, "a.tar.gz")])
def test_unpacks_every_member_and_reports_progress(tmp_path, target, make, name):
    seen = []
    archive = make(tmp_path / name, {"top/a.txt": b"a", "top/sub/b.txt": b"b" * 9999})
    unpack(archive, target, lambda done, total: seen.append((done, total)))
    assert (target / "top/a.txt").read_bytes() == b"a"
    assert (target / "top/sub/b.txt").stat().st_size == 9999
    assert seen == [(1, 2), (2, 2)]


@pytest.mark.parametrize(("make", "name"), [(make_zip, "a.zip"), (make_tar, "a.tar.gz")])
@pytest.mark.parametrize("member", ["../evil", "a/../../evil", "/evil", "..\\evil", "C:\\evil"])
def test_refuses_members_outside_before_anything_is_written(tmp_path, target, make, name, member):
    archive = make(tmp_path / name, {"good.txt": b"good", member: b"evil"})
    with pytest.raises(DataError, match="not safe to unpack"):
        unpack(archive, target)
    assert not list(target.iterdir())
    assert not (tmp_path / "evil").exists()


def test_refuses_links(tmp_path, target):
    archive = make_tar(tmp_path / "a.tar.gz", {"a": b"a"}, {"b": "/etc/passwd"})
    with pytest.raises(DataError, match="is a link"):
        unpack(archive, target)
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        link = zipfile.ZipInfo("b")
        link.external_attr = 0o120777 << 16
        opened.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="is a link"):
        unpack(archive, target)
    assert not list(target.iterdir())


def test_refuses_other_files(tmp_path, target):
    (tmp_path / "a.zip").write_text("<html>404</html>")
    with pytest.raises(DataError, match="not a zip or tar archive"):
        unpack(tmp_path / "a.zip", target)
    with pytest.raises(DataError, match="there is no file"):
        unpack(tmp_path / "b.zip", target)


@pytest.mark.parametrize(("make", "name"), [(make_zip, "a.zip"), (make_tar, "a.tar.gz")])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_refuses_a_truncated_archive(tmp_path, target, make, name, kept):
    noise = bytes(i * i * 7919 % 251 for i in range(20_000))
    whole = make(tmp_path / name, {f"{i}": noise[i:] for i in range(5)}).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(DataError, match=r"truncated|cut off"):
        unpack(tmp_path / name, target)


def test_refuses_a_damaged_member(tmp_path, target):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("a", b"x" * 1000)
    content = bytearray(archive.read_bytes())
    content[200] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        unpack(archive, target)


def test_a_disk_that_is_too_small_is_an_error(tmp_path, target, monkeypatch):
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))
    monkeypatch.setattr(os.path, "ismount", lambda place: place in (target.parent, Path("/")))
    with pytest.raises(DataError, match=f"the disk at {target.parent} has 0.0 MiB free"):
        unpack(make_zip(tmp_path / "a.zip", {"a": b"aa"}), target)


def make_nested(path: Path, members: dict[str, bytes], *, inner: dict[str, bytes]) -> Path:
    """A tar file that holds `inner.tar`."""
    content = make_plain_tar(path.with_name("inner.tar"), inner).read_bytes()
    return make_plain_tar(path, {**members, "classes/inner.tar": content})


def make_plain_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_a_tar_file_in_a_tar_file_becomes_a_folder(tmp_path, target):
    seen = []
    archive = make_nested(tmp_path / "a.tar", {"x": b"x"}, inner={"1.JPEG": b"one", "2.JPEG": b""})
    unpack(archive, target, lambda done, total: seen.append((done, total)))
    files = {p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*.*")}
    assert files == {"classes/inner/1.JPEG": b"one", "classes/inner/2.JPEG": b""}
    assert (target / "x").read_bytes() == b"x"
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("name", ["../../evil", "/evil"])
def test_members_of_inner_tar_files_are_checked_before_anything_is_written(tmp_path, target, name):
    archive = make_nested(tmp_path / "a.tar", {"good": b"good"}, inner={name: b"evil"})
    with pytest.raises(DataError, match="not safe to unpack"):
        unpack(archive, target)
    assert not list(target.iterdir())


@pytest.mark.parametrize("name", ["...tar", "a/...tar", "a/.../...tar"])
def test_the_folder_of_an_inner_tar_file_is_checked_too(tmp_path, target, name):
    inner = make_plain_tar(tmp_path / "inner.tar", {"evil": b"evil"}).read_bytes()
    archive = make_plain_tar(tmp_path / "a.tar", {"good": b"good", name: inner})
    with pytest.raises(DataError, match="not safe to unpack"):
        unpack(archive, target)
    assert not list(target.iterdir()) and not (tmp_path / "evil").exists()


def test_a_damaged_inner_tar_file_is_named(tmp_path, target):
    archive = make_plain_tar(tmp_path / "a.tar", {"n01440764.tar": b"no tar file" * 100})
    with pytest.raises(DataError, match=r"n01440764\.tar in it"):
        unpack(archive, target)
    assert not list(target.iterdir())


def test_a_time_that_is_no_number_is_not_kept(tmp_path, target):
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a.txt")
        info.size, info.pax_headers = 1, {"mtime": "nan"}
        archive.addfile(info, io.BytesIO(b"a"))
    unpack(tmp_path / "a.tar", target)
    assert (target / "a.txt").read_bytes() == b"a"


def test_a_method_that_python_does_not_read_is_no_damage(tmp_path, target):
    path = make_zip(tmp_path / "a.zip", {"a.txt": b"a" * 99})
    data = bytearray(path.read_bytes())
    for start, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(start) + offset] = 9  # Deflate64
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"does not read.*\n.*7z x") as caught:
        unpack(path, target)
    assert "damaged" not in str(caught.value)


def test_an_encrypted_archive_is_no_damage(tmp_path, target):
    path = make_zip(tmp_path / "a.zip", {"a.txt": b"a" * 99})
    data = bytearray(path.read_bytes())
    for start, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(start) + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(
        DataError, match=r"encrypted: its member 'a\.txt' needs.*\n.*7z x"
    ) as caught:
        unpack(path, target)
    assert "damaged" not in str(caught.value)


def test_a_broken_link_says_where_it_leads(tmp_path, target):
    (tmp_path / "a.zip").symlink_to(tmp_path / "gone.zip")
    with pytest.raises(DataError, match=r"is a broken link: it leads to .*gone\.zip"):
        unpack(tmp_path / "a.zip", target)


@pytest.mark.parametrize(("make", "name"), [(make_zip, "a.zip"), (make_tar, "a.tar.gz")])
def test_a_bomb_is_not_unpacked(tmp_path, target, make, name, monkeypatch):
    monkeypatch.setattr(archives, "_SMALL", 1 << 20)
    bomb = make(tmp_path / name, {"a": b"a", "zeros": bytes(4 << 20)})
    with pytest.raises(DataError, match="no images or lists are compressed so far"):
        unpack(bomb, target)
    assert not list(target.iterdir())
