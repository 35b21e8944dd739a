"""Images without labels: folders, files and tables, each image once under the user's name."""

from pathlib import Path

import pytest
from PIL import Image

from lowlabel.datasets.sources.unlabelled import list_unlabelled
from lowlabel.errors import DataError


@pytest.fixture
def place(tmp_path, monkeypatch):
    for path in ("new/a.png", "new/deep/b.jpg", "other/c.png"):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (len(path), 0, 0)).save(file)
    (tmp_path / "new/notes.md").write_text("text")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_folders_files_and_tables_are_listed_once_under_the_names_that_were_given(place):
    Path("other/list.csv").write_text('path,label,box\nc.png,,"0,0,2,2"\n')
    found = list_unlabelled([Path("new/deep"), place / "other/list.csv", Path("new")])
    assert found.names == ("new/deep/b.jpg", f"{place.as_posix()}/other/c.png", "new/a.png")
    assert found.images.root == place
    assert found.images.paths == ("new/deep/b.jpg", "other/c.png", "new/a.png")
    assert found.images.boxes == (None, (0.0, 0.0, 2.0, 2.0), None)
    assert found.left_out == {".md": 1}
    assert len(found.images.manifest.contents) == 3 * 32


def test_labels_splits_and_groups_of_a_table_are_not_read(place):
    Path("new/list.csv").write_text("path,label,split,group\na.png,,nonsense,7\n")
    found = list_unlabelled([Path("new/list.csv")])
    assert found.names == ("new/a.png",)
    assert found.images.groups is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "there is no folder or file nowhere"),
        ("new/notes.md", "neither an image nor a table"),
        ("empty", "no images under empty"),
        ("bad.csv", "bad.csv has no column path"),
        ("missing.csv", "line 2: there is no file z.png"),
    ],
)
def test_what_holds_no_image_is_refused(place, name, message):
    Path("empty").mkdir()
    Path("bad.csv").write_text("file\na.png\n")
    Path("missing.csv").write_text("path\nz.png\n")
    with pytest.raises(DataError, match=message):
        list_unlabelled([Path(name)])
