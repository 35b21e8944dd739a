import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

# The tests' arrays are small: threads would only wait for each other. Read when torch loads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from PIL import Image
from simulated_gpu import simulated_gpu

from lowlabel.datasets.io import contents


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a home of its own."""
    folder = tmp_path / "home"
    monkeypatch.setenv("LOWLABEL_HOME", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return folder


@pytest.fixture(autouse=True)
def handlers_are_restored() -> Iterator[None]:
    """No test leaves a handler of signals to the others."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGXFSZ)
    before = [signal.getsignal(number) for number in numbers]
    yield
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.fixture
def default_signals() -> Iterator[None]:
    """Signals that end a command do so, though what started the tests, such as nohup, ignores them.

    Processes that the test starts inherit this.
    """
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def gpu() -> Iterator[str]:
    """A GPU for the whole test, simulated on the CPU where there is none."""
    if torch.cuda.is_available():
        yield "cuda"
        return
    with simulated_gpu() as device:
        yield str(device)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Seconds by which files are older than they are when they are hashed."""
    ahead, now = [60], time.time_ns
    monkeypatch.setattr(contents.time, "time_ns", lambda: now() + ahead[0] * 10**9)
    return ahead


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real archives that `LOWLABEL_DATA` names."""
    configured = os.environ.get("LOWLABEL_DATA")
    if not configured:
        pytest.skip("LOWLABEL_DATA does not point to the real archives")
    return Path(configured).resolve()


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """`base/val/novel` sub-folders of 3 + 2 + 3 classes with 6 coloured noise images each."""
    random = np.random.default_rng(0)
    root = tmp_path / "images"
    for part, classes in (("base", 3), ("val", 2), ("novel", 3)):
        for number in range(classes):
            folder = root / part / f"{part}{number}"
            folder.mkdir(parents=True)
            colour = random.integers(0, 256, 3)
            for index in range(6):
                noise = random.integers(-40, 40, (20, 24, 3))
                pixels = np.clip(colour + noise, 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    return root
