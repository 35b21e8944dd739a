import resource
import signal

import pytest
import torch

from lowlabel import torch_file
from lowlabel.errors import DataError
from lowlabel.torch_file import write_torch


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "checkpoint.pth"
    write_torch(path, {"weights": torch.zeros(3)})
    return path


def holds_the_old(path):
    return torch.load(path)["weights"].tolist() == [0, 0, 0] and list(path.parent.iterdir()) == [
        path
    ]


def test_a_full_disk_leaves_the_old_checkpoint(old):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for limit in (0, 100, 20_000, 40_300):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            with pytest.raises(DataError, match=r"cannot write .*checkpoint.pth: File too large"):
                write_torch(old, {"weights": torch.ones(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert holds_the_old(old)


def test_a_page_that_is_lost_leaves_the_old_checkpoint(old, monkeypatch):
    save = torch.save

    def losing(content, file):
        save(content, file)
        file.seek(20_000)
        file.write(bytes(4096))

    monkeypatch.setattr(torch_file.torch, "save", losing)
    with pytest.raises(DataError, match="other content is read back"):
        write_torch(old, {"weights": torch.ones(10_000)})
    assert holds_the_old(old)
