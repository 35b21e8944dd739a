"""Every command that README and docs print is one that lowlabel takes; what needs no weights,
data or network runs as printed. LOWLABEL_SLOW=1 runs the long ones, too."""

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml
from documented import ROOT, blocks, inline_commands, lowlabel_commands, shell_blocks
from PIL import Image

from lowlabel.cli import app, main
from lowlabel.datasets.demo.dataset import DEMO
from lowlabel.errors import UserError

COMMANDS = [*lowlabel_commands(), *inline_commands()]
BUILT_IN = re.compile(r"demo\S*|pixels|random:\S+|frozen|tuned|runs/demo\S*")
NAMES = ("--model", "--dataset", "--features", "--train-features", "--archive", "--distractors")
QUICK = {("list",), ("cache",), ("--version",), ("report", "results/leaderboard.tar.xz")}
SLOW = pytest.mark.skipif(not os.environ.get("LOWLABEL_SLOW"), reason="LOWLABEL_SLOW is not set")


def needs_nothing(arguments: list[str]) -> bool:
    """Whether a command names built-in models and data alone."""
    named = [value for option, value in pairwise(arguments) if option in NAMES]
    return bool(named) and all(BUILT_IN.fullmatch(value) for value in named)


def test_there_are_commands_of_every_kind():
    first = {arguments[0] for _, arguments in COMMANDS}
    assert first >= {"run", "prepare", "pretrain", "finetune", "analyze", "report", "compare"}


@pytest.mark.slow
@pytest.mark.parametrize(("place", "arguments"), COMMANDS, ids=lambda value: str(value)[:80])
def test_every_command_is_taken(place, arguments):
    command, rest = typer.main.get_command(app), list(arguments)
    context = typer.Context(command)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"{place}: there is no lowlabel {rest[0]}"
        command = command.commands[rest.pop(0)]
        context = typer.Context(command, parent=context, info_name=command.name)
    if rest == ["--version"] or not rest:  # a name in running text
        return
    try:
        command.parse_args(context, rest)
    except UserError as error:
        assert "no weights file matches" in error.message  # a pattern of files of a run


RUNS = [
    (place, arguments)
    for place, arguments in COMMANDS
    if arguments[0] in ("run", "pretrain", "finetune") and needs_nothing(arguments)
]


@pytest.fixture(scope="session")
def planning_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the demo dataset in its layout and counts: plans look at no pixel."""
    folder = tmp_path_factory.mktemp("planning")
    picture = io.BytesIO()
    Image.new("RGB", (1, 1)).save(picture, "PNG")
    (division, _) = DEMO.divisions
    for part, counts in division.expected.items():
        for number in range(counts.images):
            kind = f"{part}{number % counts.classes}"
            place = folder / "datasets" / DEMO.folder_name / part / kind
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number // counts.classes:03d}.png").write_bytes(picture.getvalue())
    return folder


@pytest.fixture(scope="session")
def slow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the first command makes the demo dataset."""
    return tmp_path_factory.mktemp("documented")


@pytest.mark.slow
@pytest.mark.parametrize(("place", "arguments"), RUNS, ids=lambda value: str(value)[:80])
def test_what_needs_nothing_can_be_planned(place, arguments, planning_home, monkeypatch, tmp_path):
    options = [value for name, value in pairwise(arguments) if name in NAMES]
    if any("runs/" in value for value in options):
        pytest.skip("it takes the output of a command before it")
    monkeypatch.setenv("LOWLABEL_HOME", str(planning_home))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--dry-run"] if "--dry-run" not in arguments else arguments)
    assert not ended.value.code


@pytest.mark.slow
@pytest.mark.parametrize("arguments", sorted(QUICK), ids=" ".join)
def test_quick_commands_run_as_printed(arguments, monkeypatch, tmp_path, capsys):
    assert [*arguments] in [each for _, each in COMMANDS], "no page shows it"
    (tmp_path / "results").mkdir()
    shutil.copy(ROOT / "results/leaderboard.tar.xz", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert not ended.value.code
    assert capsys.readouterr().out


def reads_results(arguments: list[str]) -> bool:
    """Whether a command reads what the commands before it have written."""
    return arguments[0] in ("compare", "report") or arguments[:2] in (
        ["analyze", "epochs"],
        ["analyze", "training"],
    )


def takes_an_hour(arguments: list[str]) -> bool:
    """Whether a command trains for all epochs of a recipe, rather than the few that it names."""
    return arguments[0] == "pretrain" and "--epochs" not in arguments


@SLOW
@pytest.mark.parametrize("block", [
    block for block in shell_blocks()
    if (ours := [*lowlabel_commands(ROOT / block.page)])
    and (calls := [each for place, each in ours if place == str(block)])
    and all(reads_results(each) or needs_nothing(each) for each in calls)
    and not any(map(takes_an_hour, calls))
], ids=str)  # fmt: skip
def test_blocks_that_need_nothing_run_as_printed(block, slow_home, tmp_path):
    shutil.copytree(ROOT / "results", tmp_path / "results")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"LOWLABEL_HOME": str(slow_home), "PATH": path}
    text = re.sub(r"--epochs \d+", "--epochs 2", block.text)
    command = ["bash", "-e", "-c", text]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def arrays() -> dict[str, object]:
    """The arrays that the pages name: 12 classes of 20 images in 32 dimensions."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(12), 20)

    def features(classes: int = 12) -> np.ndarray:
        each = np.abs(random.normal(size=(20 * classes, 32)))
        return each.astype(np.float32)

    pairs = ("train_features", "test_features", "base_features", "query", "gallery")
    named: dict[str, object] = {name: features() for name in ("features", *pairs)}
    others = ("train_labels", "test_labels", "base_labels", "query_labels", "gallery_labels")
    return named | dict.fromkeys(("labels", *others), labels)


NEEDS = re.compile(r"backbone|ground_truth|images|Path\(|patch_tokens|patch_colours")


@pytest.mark.slow
@pytest.mark.parametrize("block", [
    pytest.param(block, marks=SLOW if "map_embeddings" in block.text else ())
    for block in blocks() if block.language == "python" and not NEEDS.search(block.text)
], ids=str)  # fmt: skip
def test_python_runs_as_printed(block, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    text = block.text.replace("tasks=10_000", "tasks=50").replace("whiten:256", "whiten:16")
    exec(compile(text, str(block), "exec"), arrays())


def test_the_pages_name_no_command_that_shlex_cannot_read():
    for block in shell_blocks():
        shlex.split(block.text, comments=True)


@pytest.fixture
def workflow():
    """The workflow that the pages show, with its calls of lowlabel."""
    (block,) = (block for block in blocks() if block.language == "yaml")
    calls = [each for place, each in lowlabel_commands(ROOT / block.page) if place == str(block)]
    return yaml.safe_load(block.text), calls


def test_the_workflow_scores_what_it_checks_and_keeps(workflow):
    parsed, (scored, checked) = workflow
    assert set(parsed[True]) == {"push", "pull_request"}  # YAML reads `on` as a truth value
    (job,) = parsed["jobs"].values()
    assert {"runs-on", "timeout-minutes", "env", "steps"} <= job.keys()
    for step in job["steps"]:
        assert ("uses" in step) != ("run" in step)
        assert "uses" not in step or re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"])
    assert (scored[0], checked[0]) == ("run", "check")
    folder = scored[scored.index("--output") + 1]
    assert checked[checked.index("--output") + 1] == folder
    assert job["steps"][-1]["with"]["path"] == f"{folder}/report.html"


def test_the_workflow_can_be_planned(workflow, monkeypatch, planning_home, tmp_path):
    _, (scored, _) = workflow
    built_in = ["pixels" if value == "checkpoint.safetensors" else value for value in scored]
    monkeypatch.setenv("LOWLABEL_HOME", str(planning_home))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main([*built_in, "--dry-run"])
    assert not ended.value.code
