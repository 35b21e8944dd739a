from lowlabel.datasets import open_dataset
from lowlabel.datasets.demo import ahead
from lowlabel.datasets.demo.copies import DEMO_COPIES
from lowlabel.datasets.prepare import prepared_folder


def test_datasets_are_drawn_before_they_are_opened(monkeypatch, tmp_path):
    monkeypatch.setenv("LOWLABEL_HOME", str(tmp_path))
    monkeypatch.setattr(ahead, "_DATASETS", (DEMO_COPIES,))
    with ahead.drawn_ahead():
        assert len(open_dataset("demo-copies").load("strong").paths) == 120
    folder = prepared_folder(DEMO_COPIES)
    made = folder.stat().st_ctime_ns
    with ahead.drawn_ahead():
        pass
    assert folder.stat().st_ctime_ns == made
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, f".{folder.name}.lock"}
