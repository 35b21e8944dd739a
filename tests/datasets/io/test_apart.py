import pytest

from lowlabel.datasets.io import apart


def test_an_interrupt_ends_the_process_that_reads(monkeypatch, tmp_path):
    waited_for = []

    def interrupted(process):
        waited_for.append(process)
        raise KeyboardInterrupt

    monkeypatch.setattr(apart, "_finished", interrupted)
    (tmp_path / "a.h5").write_bytes(b"")
    with pytest.raises(KeyboardInterrupt):
        apart.read_apart(tmp_path / "a.h5", "hdf5_trial.py", "HDF5")
    (process,) = waited_for
    assert process.wait(10) == -9
