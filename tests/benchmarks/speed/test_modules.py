"""Every module of benchmarks/speed/ runs at a tiny size, with the peers that are installed."""

import importlib
import pickle
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lowlabel.benchmarks.speed import logistic
from lowlabel.benchmarks.speed.fewshot import PEERS as FEWSHOT_PEERS
from lowlabel.benchmarks.speed.retrieval_jobs import PEER_PACKAGES

FOLDER = Path(__file__).parents[3] / "benchmarks" / "speed"
HELPERS = {"peers", "processes", "retrieval_jobs", "timing"}
TINY = {
    "busy": "--tasks 4 --processes 1 --demo --help",
    "dc": "--tasks 4 --loop-tasks 2 --width 8",
    "extraction": "--images 2 --batch-size 2",
    "fewshot": "--tasks 4 --peer-tasks 2 --images 20 --width 8",
    "finetuning": "--model random:vit_tiny_patch16_224,img_size=32,depth=1 --batch-size 4 "
    "--classes 3 --loss margin",
    "frozen_head": "--model random:vit_tiny_patch16_224,img_size=16,patch_size=8,depth=1 "
    "--classes 28 --epochs 1 --loss proxy-nca",
    "knn": "--train 300 --test 20 --width 8 --classes 4",
    "linear": "--images 60 --width 4 --classes 3 --steps 2",
    "label_budget": "--classes 3 --images 8 --test 20 --width 8 --draws 2 --peers",
    "labels.several": "--images 60 --width 4 --labels 3",
    "logistic": "--images 60 --width 4 --classes 3 --max-iter 20",
    "memory": "--images 60 --test 20 --width 4 --classes 3 --voters 30 --steps 2",
    "memory --mapped": "--images 60 --test 20 --width 4 --classes 3 --voters 30 --steps 2 "
    "--job retrieval --job k-NN",
    "report": f"{FOLDER.parents[1] / 'results' / 'leaderboard.tar.xz'} --count 20 --no-browser",
    "retrieval": "--images 1100 --width 8 --classes 220 --peers",
    "revisited": "--distractors 300 --gallery 200 --queries 3 --width 8",
    "images.pipeline": "--images 2 --repeats 1",
    "images.sources": "--images 20 --shards 2 --repeats 1",
    "training step": "--batch-size 2 --prototypes 16",
    "training views": "--images 1",
    "transductive": "--tasks 4 --peer-tasks 2 --images 20 --width 8",
}
PEERS = {
    "fewshot": {peer: "easyfsl" for peer in FEWSHOT_PEERS.values() if peer.startswith("easyfsl")},
    "retrieval": PEER_PACKAGES,
    "training step": {"lightly": "lightly"},
    "training views": {"lightly": "lightly"},
    "transductive": {"easyfsl": "easyfsl"},
}


class ThisProcess:
    """Stands in for a process pool, which takes seconds to start: pickles, and calls here."""

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> "ThisProcess":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, function, *arguments):
        self.function, self.arguments = pickle.loads(pickle.dumps((function, arguments)))
        return self

    def result(self):
        return self.function(*self.arguments)


@pytest.fixture(scope="module")
def output() -> Iterator[Callable[[str], str]]:
    """The standard output of a command at its tiny size; each runs once."""
    outputs: dict[str, str] = {}

    def run(command: str) -> str:
        if command not in outputs:
            name, *subcommand = command.split()
            module = importlib.import_module(f"lowlabel.benchmarks.speed.{name}")
            app = getattr(module, "app", None)
            if app is None:
                app = typer.Typer()
                app.command()(module.main)
            arguments = [*subcommand, *TINY[command].split(), "--repeats", "1"]
            result = CliRunner().invoke(app, arguments, catch_exceptions=False)
            assert result.exit_code == 0, result.output
            outputs[command] = result.stdout
        return outputs[command]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lowlabel.benchmarks.speed.processes.ProcessPoolExecutor", ThisProcess)
        yield run


def test_every_module_has_a_smoke_test():
    files = (path.relative_to(FOLDER) for path in FOLDER.rglob("*.py"))
    modules = {".".join(file.with_suffix("").parts) for file in files if file.stem != "__init__"}
    assert modules - HELPERS == {command.split()[0] for command in TINY}


@pytest.mark.slow
@pytest.mark.parametrize("command", TINY)
def test_a_table_is_printed(command, output):
    rows = [line for line in output(command).splitlines() if line.startswith("|")]
    assert re.fullmatch(r"\|(-+\|)+", rows[1])
    assert len(rows) > 2
    assert not any("nan" in row for row in rows)


@pytest.mark.parametrize(
    ("command", "peer"), [(command, peer) for command in PEERS for peer in PEERS[command]]
)
def test_a_peer_is_measured_or_said_to_be_left_out(command, peer, output):
    package = PEERS[command][peer]
    is_left_out = f"left out: {peer} ({package} is not installed)" in output(command)
    assert is_left_out == (find_spec(package) is None)
    if is_left_out:
        pytest.skip(f"{command} ran without {peer}: {package} is not installed")
    table = [line for line in output(command).splitlines() if line.startswith("|")]
    assert any(peer in line for line in table)


def test_logistic_regression_is_compared_at_equal_objective(capsys):
    logistic.main(images=200, width=5, classes=3, gap=1e-6, c=[0.01, 1.0])
    *_, first, second = [line for line in capsys.readouterr().out.splitlines() if "|" in line]
    for line in (first, second):
        difference = float(line.split("|")[-3])
        assert -2e-6 <= difference <= 1e-6
