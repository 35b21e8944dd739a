import pytest

from lowlabel.analysis.maps import read_flags
from lowlabel.errors import DataError


def test_reasons_are_read_by_path(tmp_path):
    file = tmp_path / "flags.csv"
    file.write_text("score,reason,path\n1,blank,a/b.png\n2,,c.png\n3,twin,a/b.png\n")
    assert read_flags(file) == {"a/b.png": "blank; twin", "c.png": ""}
    file.write_text('\ufeffpath,reason\n"a,b.png","""odd"""\n', encoding="utf-8")
    assert read_flags(file) == {"a,b.png": '"odd"'}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no column path and no column reason"),
        (b"path,why\na,b\n", "no column reason"),
        (b"path,reason\n", "marks no image"),
        (b"path,reason\n\xff\xfe,x\n", "cannot read the flags"),
        (None, "cannot read the flags"),
    ],
)
def test_a_file_that_flags_nothing_is_refused(tmp_path, content, message):
    file = tmp_path / "flags.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_flags(file)
