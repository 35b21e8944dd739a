"""Every row of a table is checked, and errors name its line."""

import codecs
from pathlib import Path

import pytest

from lowlabel.datasets.tables.entries import read_entries
from lowlabel.errors import DataError

NAMES = ("a/0.png", "a/1.png", "b/0.png", "b 2/0,1.png")


@pytest.fixture
def table(tmp_path, write_image):
    """Writes a table beside four images."""
    for name in NAMES:
        write_image(tmp_path / "data" / name)

    def write(text, name="list.csv"):
        path = tmp_path / "data" / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def listed(path, split=""):
    return [tuple(image) for image in read_entries(path).images[split]]


ROWS = [("a/0.png", "x", None, ""), ("a/1.png", "y", None, "")]


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_any_delimiter_and_line_end_gives_the_same_images(table, delimiter, newline):
    lines = ["path,label", "a/1.png,y", "", "./a//0.png, x "]
    assert listed(table(newline.join(lines).replace(",", delimiter))) == ROWS


def test_a_byte_order_mark_and_capitals_in_the_header_are_read(table):
    assert listed(table(codecs.BOM_UTF8 + b"Path, LABEL\na/1.png,y\na/0.png,x\n")) == ROWS


def test_quoted_values_hold_delimiters_and_lines_are_counted_as_in_the_file(table):
    path = table('path,label,note\n"b 2/0,1.png",x,"two\nlines"\na/0.png,,n\n')
    with pytest.raises(DataError, match=r"\n  line 4: the label of a/0\.png is empty\n"):
        read_entries(path)


def test_boxes_of_both_forms_and_groups_are_read(table):
    four = table("path,label,left,top,right,bottom,group\na/0.png,x,1,2,3.5,4,g\na/1.png,y,,,,,\n")
    one = table('path,label,box,group\na/0.png,x,"1,2,3.5,4",g\na/1.png,y,,\n', "one.csv")
    expected = [("a/0.png", "x", (1.0, 2.0, 3.5, 4.0), "g"), ("a/1.png", "y", None, "")]
    assert listed(four) == listed(one) == expected


def test_columns_that_are_not_used_are_named(table):
    path = table("path,label,colour,splits\na/0.png,x,red,train\n")
    assert read_entries(path).unread == ("colour", "splits")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a/9.png,x,train", "there is no file a/9.png"),
        ("a,x,train", "there is no file a"),
        ("a\\0.png,x,train", "there is no file a\\0.png; write paths with /"),
        (",x,train", "the path is empty"),
        ("a/0.png,,train", "the label of a/0.png is empty"),
        ("../data/a/0.png,x,train", "../data/a/0.png leads out of the folder of the table"),
        ("b/../../data/a/0.png,x,train", "leads out of the folder of the table"),
        ("/a/0.png,x,train", "/a/0.png is no path relative to the folder of the table"),
        ("C:\\a\\0.png,x,train", "is no path relative to the folder of the table"),
        ("./b/0.png,x,train", "b/0.png is named by line 2 too"),
        ("a/0.png,x,part3", "the split 'part3' is no name of a part"),
        ("a/0.png,x,", "the split is empty; known are base, val and novel"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(table, row, said):
    path = table(f"path,label,split\nb/0.png,x,test\n\n{row}\n")
    with pytest.raises(DataError) as error:
        read_entries(path)
    assert "\n  line 4: " in error.value.message
    assert said in error.value.message
    assert str(path.parent) in error.value.hint


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ("1,2,3", "is not four numbers"),
        ("1,2,3,x", "is not four numbers"),
        ("1,2,3,inf", "is not four numbers"),
        ("5,2,3,4", "has no area"),
    ],
)
def test_a_wrong_box_is_named_by_its_line(table, box, said):
    with pytest.raises(DataError, match=said) as error:
        read_entries(table(f'path,label,box\na/0.png,x,"{box}"\n'))
    assert "line 2: the box" in error.value.message


def test_many_wrong_rows_are_counted(table):
    rows = "".join(f"a/{n}.png,x\n" for n in range(10, 40))
    with pytest.raises(DataError, match="… and 22 more"):
        read_entries(table("path,label\n" + rows))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,class\na/0.png,x\n", "no column path and no column label; its first line has: file"),
        ("path,label,label\na/0.png,x,x\n", "the column label twice"),
        ("path,label\n", "names no image"),
        ("", "is empty"),
        ("path,label\na/0.png,x,red\n", "line 2 of .* has 3 values, the header has 2 columns"),
        ('path,label\na/0.png,"x\n', "no CSV file from line 2 on"),
        ("path,label\na/0.png,x\n".encode("utf-16"), "text in UTF-16"),
        (b"path,label\na/0.png,caf\xe9\n", "line 2 of .* is no text in UTF-8: it holds the byte"),
        ("path,label,left,top\na/0.png,x,1,2\n", "has the columns left, top"),
        ("path,label,box,left,top,right,bottom\na/0.png,x,,1,2,3,4\n", "right, bottom, box"),
        (b"PAR1 and then nothing of the kind", "cannot be read"),
    ],
)
def test_what_is_no_table_of_images_is_refused(table, text, said):
    with pytest.raises(DataError, match=said) as error:
        read_entries(table(text))
    assert error.value.hint or "cannot be read" in said


def test_parquet_gives_the_images_of_csv(table, tmp_path):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "data" / "list.parquet"
    columns = {
        "path": ["b/0.png", "a/1.png", "a/0.png"],
        "label": [10, 2, 2],
        "split": ["test", "train", "train"],
        "group": [float("nan"), 7.0, 7.0],
        "box": [None, [1.0, 2.0, 3.5, 4.0], None],
        "note": ["", "", ""],
    }
    parquet.write_table(pa.table(columns), path)
    assert listed(path, "train") == [
        ("a/0.png", "2", None, "7"),
        ("a/1.png", "2", (1.0, 2.0, 3.5, 4.0), "7"),
    ]
    assert listed(path, "test") == [("b/0.png", "10", None, "")]
    assert read_entries(path).unread == ("note",)
    parquet.write_table(pa.table({**columns, "label": [1, None, 2]}), path)
    with pytest.raises(DataError, match=r"row 2: the label of a/1\.png is empty"):
        read_entries(path)


def test_a_table_that_changed_is_read_again(table):
    assert listed(table("path,label\na/0.png,x\na/1.png,y\n")) == ROWS
    assert len(listed(table("path,label\na/0.png,x\n"))) == 1


def test_several_labels_stand_joined_in_one_order(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).touch()
    path = tmp_path / "list.csv"
    path.write_text("path,labels\na.png,dog | cat\nb.png,cat|dog|cat\nc.png,cat\n")
    entries = read_entries(path)
    assert entries.several
    assert [image.class_name for image in entries.images[""]] == ["cat|dog", "cat|dog", "cat"]
    path.write_text("path,labels\na.png,dog|\nb.png,\n")
    with pytest.raises(DataError, match=r"line 2: a label of a\.png is empty") as error:
        read_entries(path)
    assert "line 3" in error.value.message
    path.write_text("path,label,labels\na.png,a,a|b\n")
    with pytest.raises(DataError, match="has the columns label and labels"):
        read_entries(path)
    path.write_text("path,name\na.png,a\n")
    with pytest.raises(DataError, match="has no column label"):
        read_entries(path)


def test_several_labels_of_a_parquet_table(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    (tmp_path / "a.png").touch()
    table = pyarrow.table({"path": ["a.png"], "labels": ["b|a"]})
    write_table(table, tmp_path / "list.parquet")
    assert read_entries(tmp_path / "list.parquet").images[""][0].class_name == "a|b"
    write_table(
        pyarrow.table({"path": ["a.png"], "labels": [["b", "a"]]}), tmp_path / "list.parquet"
    )
    assert read_entries(tmp_path / "list.parquet").images[""][0].class_name == "a|b"
    write_table(pyarrow.table({"path": ["a.png"], "labels": [["b|a"]]}), tmp_path / "list.parquet")
    with pytest.raises(DataError, match=r"the label 'b\|a' of .* holds \|"):
        read_entries(tmp_path / "list.parquet")
    flags = pyarrow.table({"path": ["a.png"], "labels": [[1, 0, 1]]})
    write_table(flags, tmp_path / "list.parquet")
    with pytest.raises(DataError, match="are 3 values of 0 and 1 for each image"):
        read_entries(tmp_path / "list.parquet")
    nothing = pyarrow.array([[]], pyarrow.list_(pyarrow.string()))
    write_table(pyarrow.table({"path": ["a.png"], "labels": nothing}), tmp_path / "list.parquet")
    with pytest.raises(DataError, match=r"row 1: a label of a\.png is empty"):
        read_entries(tmp_path / "list.parquet")


@pytest.mark.parametrize("separator", [",", ";", ", "])
def test_labels_with_another_separator_are_not_one_label(table, separator):
    header = f'path,labels\na/0.png,x\na/1.png,"x{separator}y"\n'
    with pytest.raises(DataError, match=r"line 3 of .* none of its rows has \|"):
        read_entries(table(header))
    assert read_entries(table(header + "b/0.png,x|y\n")).several
    (images,) = read_entries(table(header.replace("labels", "label"))).images.values()
    assert images[1].class_name == f"x{separator}y"


def test_the_hint_names_the_folder_whatever_it_is_called(table, monkeypatch):
    path = table("path,label\nmissing.png,x\n")
    monkeypatch.chdir(path.parent)
    with pytest.raises(DataError) as error:
        read_entries(Path(path.name))
    assert str(path.parent) in error.value.hint


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(DataError, match="is a folder, not a table") as error:
        read_entries(tmp_path)
    assert f"folder:{tmp_path}" in error.value.hint


@pytest.mark.parametrize("size", [0, 100])
def test_a_parquet_table_that_is_cut_off_says_what_to_do(tmp_path, size):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "list.parquet"
    parquet.write_table(pa.table({"path": ["a.png"], "label": ["a"]}), path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=r"list\.parquet (cannot be read|is empty)") as error:
        read_entries(path)
    assert "again" in error.value.hint
