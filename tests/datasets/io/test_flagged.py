import pytest

from lowlabel.datasets.io.flagged import read_flagged
from lowlabel.errors import DataError, InputError

CSV = """path,part,reason,score
novel/a/1.png,novel,outlier,1.2
novel/a/1.png,novel,blurry,1.1
novel/a/2.png,novel,exact-duplicate,1
"base/x,y/3.png",base,exact-duplicate,1
"""


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_names_each_image_once(tmp_path):
    found = read_flagged(write(tmp_path / "flags.csv", CSV))
    assert found.images == (
        ("novel/a/1.png", "novel"),
        ("novel/a/2.png", "novel"),
        ("base/x,y/3.png", "base"),
    )
    assert found.name == "flags.csv"
    assert len(found.sha256) == 64


def test_reasons_choose_flags(tmp_path):
    path = write(tmp_path / "flags.csv", CSV)
    found = read_flagged(path, ["exact-duplicate"])
    assert [image for image, _ in found.images] == ["novel/a/2.png", "base/x,y/3.png"]
    with pytest.raises(InputError, match="no image as dark") as error:
        read_flagged(path, ["dark", "outlier"])
    assert "exact-duplicate (2)" in error.value.hint


def test_a_plain_list_has_no_parts_and_no_reasons(tmp_path):
    path = write(tmp_path / "list.txt", "\ufeffnovel/a/1.png\r\n\n./novel/a/b,c.png\n")
    found = read_flagged(path)
    assert found.images == (("novel/a/1.png", ""), ("novel/a/b,c.png", ""))
    with pytest.raises(InputError, match="outlier") as error:
        read_flagged(path, ["outlier"])
    assert "--reason" in error.value.hint


@pytest.mark.parametrize("text", ["", "\n \n", "path,part,reason\n", "path,reason\n,outlier\n"])
def test_a_file_without_flags_is_refused(tmp_path, text):
    with pytest.raises(DataError, match="flags no image") as error:
        read_flagged(write(tmp_path / "flags.csv", text))
    assert "lowlabel analyze bad-data" in error.value.hint


def test_missing_files_and_pictures_are_refused(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe")
    for name in ("none.csv", "picture.png", "."):
        with pytest.raises(DataError):
            read_flagged(tmp_path / name)


def test_a_flag_of_a_part_is_of_that_part_alone(tmp_path):
    text = "path,part,reason\na.png,query,dark\nb.png,other,dark\n"
    found = read_flagged(write(tmp_path / "flags.csv", text))
    parts, paths = ("query", "gallery"), ("a.png", "b.png", "c.png")
    assert found.rows("query", paths, parts) == [0, 1]
    assert found.rows("gallery", paths, parts) == [1]
    assert found.unknown(["b.png"]) == ["a.png"]


def test_a_file_of_an_analysis_that_found_nothing_says_to_leave_the_option_out(tmp_path):
    with pytest.raises(DataError, match="it has a header alone") as error:
        read_flagged(write(tmp_path / "leakage.csv", "path,part,class,reason\n"))
    assert "leave --without or --leakage out" in error.value.hint
