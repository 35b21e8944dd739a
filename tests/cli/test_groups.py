"""Groups of options: flat for the user, packed for the command."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from lowlabel.cli.groups import BackboneGroup, DataGroup, MachineGroup, grouped


@dataclass(frozen=True)
class Size:
    width: Annotated[int, typer.Option(help="Across.", rich_help_panel="Size")]
    height: Annotated[int, typer.Option("--tall", help="Along.", rich_help_panel="Size")] = 7


@pytest.fixture
def invoke():
    def run(command, *arguments):
        app = typer.Typer()
        app.command()(command)
        return CliRunner().invoke(app, arguments, env={"COLUMNS": "100", "NO_COLOR": "1"})

    return run


def test_values_arrive_in_their_groups(invoke):
    arrived = []

    @grouped
    def command(name: Annotated[str, typer.Argument()] = "box", *, size: Size) -> None:
        """Makes a box."""
        arrived.append((name, size))

    assert invoke(command, "--width", "3").exit_code == 0
    assert invoke(command, "crate", "--width", "3", "--tall", "5").exit_code == 0
    assert arrived == [("box", Size(3, 7)), ("crate", Size(3, 5))]


def test_a_field_keeps_its_help_its_panel_and_its_default(invoke):
    @grouped
    def command(*, size: Size) -> None:
        """Makes a box."""

    text = invoke(command, "--help").output
    for words in ("Makes a box.", "─ Size ─", "Across.", "[required]", "--tall", "[default: 7]"):
        assert words in text
    assert invoke(command).exit_code == 2


def test_two_options_of_one_name_are_refused():
    def command(width: int = 1, *, size: Size) -> None: ...

    with pytest.raises(ValueError, match="width"):
        grouped(command)


def test_the_shared_groups_fit_into_one_command(invoke):
    arrived = []

    @grouped
    def command(*, data: DataGroup, backbone: BackboneGroup, machine: MachineGroup) -> None:
        arrived.append((data, backbone, machine))

    assert invoke(command).exit_code == 0
    assert invoke(command, "--skip-bad-images", "--multi-scale", "--workers", "2").exit_code == 0
    assert arrived[0] == (DataGroup(), BackboneGroup(), MachineGroup())
    assert arrived[1] == (
        DataGroup(skip_bad_images=True),
        BackboneGroup(multi_scale=True),
        MachineGroup(workers=2),
    )
    assert arrived[0][1].options("cpu").scales is None
    assert arrived[1][1].options("cpu").scales == (1.0, 2**-0.5, 0.5)
    assert arrived[1][2].extraction(skip_bad_images=True).workers == 2
