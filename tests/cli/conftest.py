import pytest
import typer
from typer.testing import CliRunner

from lowlabel.errors import UserError


@pytest.fixture
def caller():
    """Makes a function that calls a command with arguments, and returns what it prints."""

    def of(command):
        app = typer.Typer()
        app.command()(command)

        def call(*arguments):
            result = CliRunner().invoke(app, [str(argument) for argument in arguments])
            if isinstance(result.exception, UserError):
                raise result.exception
            assert result.exit_code == 0, result.output
            return result.output

        return call

    return of
