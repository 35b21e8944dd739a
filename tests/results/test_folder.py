import lzma
import tarfile

import pytest

from lowlabel.errors import DataError, InputError
from lowlabel.results.folder import archive_records, load_records, load_scored
from lowlabel.results.render import render_csv, render_markdown
from lowlabel.results.scores import load
from lowlabel.results.store import load_record, save_record


@pytest.fixture
def folder(fewshot, retrieval, tmp_path):
    """A results folder with three records and their scores."""
    (tmp_path / "out" / "records").mkdir(parents=True)
    for scored in (fewshot("a"), fewshot("b", shots=5), retrieval()):
        save_record(scored.record, scored.per_item, tmp_path / "out")
    return tmp_path / "out"


def test_an_archive_gives_the_same_records_and_tables(folder, tmp_path):
    archive = tmp_path / "leaderboard.tar.xz"
    archive_records(folder, archive)
    records = load_records(archive)
    assert records == load_records(folder)
    assert [r.content_sha256 for r in records] == [r.content_sha256 for r in load_records(folder)]
    assert render_markdown(records) == render_markdown(load_records(folder))
    assert render_csv(records) == render_csv(load_records(folder))


def test_equal_records_give_equal_archives(folder, tmp_path):
    first, second = tmp_path / "a.tar.xz", tmp_path / "b.tar.xz"
    archive_records(folder, first)
    for path in sorted(folder.glob("records/*.json"), reverse=True):
        path.touch()
    archive_records(folder / "records", second)
    assert first.read_bytes() == second.read_bytes()


def test_an_archive_has_no_scores_of_single_tasks(folder, tmp_path):
    archive = tmp_path / "leaderboard.tar.xz"
    archive_records(folder, archive)
    with tarfile.open(archive) as file:
        assert all(name.endswith(".json") for name in file.getnames())
    with pytest.raises(DataError, match="without the scores of single tasks"):
        load_scored(archive)


def test_what_cannot_be_an_archive_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match=r"ends in \.tar\.xz"):
        archive_records(folder, tmp_path / "records.zip")
    archive_records(folder, tmp_path / "a.tar.xz")
    with pytest.raises(InputError, match="Name a results folder"):
        archive_records(tmp_path / "a.tar.xz", tmp_path / "b.tar.xz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no records in"):
        archive_records(tmp_path / "empty", tmp_path / "c.tar.xz")
    with pytest.raises(DataError, match="no records at"):
        archive_records(tmp_path / "nowhere", tmp_path / "c.tar.xz")


def test_a_damaged_record_is_not_archived(folder, tmp_path):
    path = sorted(folder.glob("records/*.json"))[0]
    path.write_text(path.read_text().replace('"mean": 60', '"mean": 90'))
    with pytest.raises(DataError):
        load_record(path)
    with pytest.raises(DataError, match=path.name):
        archive_records(folder, tmp_path / "a.tar.xz")
    assert not (tmp_path / "a.tar.xz").exists()


@pytest.mark.parametrize("damage", ["missing", "truncated", "no tar", "changed"])
def test_a_damaged_archive_is_named_with_its_fix(folder, tmp_path, damage):
    archive = tmp_path / "a.tar.xz"
    archive_records(folder, archive)
    content = archive.read_bytes()
    if damage == "missing":
        archive.unlink()
    elif damage == "truncated":
        archive.write_bytes(content[: len(content) // 2])
    elif damage == "no tar":
        archive.write_bytes(b"tables")
    else:
        changed = lzma.decompress(content).replace(b'"ways": 5', b'"ways": 6')
        archive.write_bytes(lzma.compress(changed))
    with pytest.raises(DataError, match=r"a\.tar\.xz") as error:
        load_records(archive)
    assert "lowlabel report FOLDER --archive" in str(error.value.hint or "")


def test_scores_of_a_folder_are_a_frame(fewshot, tmp_path):
    scored = fewshot("pixels", mean=41.0)
    save_record(scored.record, scored.per_item, tmp_path)
    frame = load(str(tmp_path))
    assert list(frame["model"]) == ["pixels"]
    assert frame["mean"].iloc[0] == pytest.approx(41.0)
