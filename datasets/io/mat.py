"""Variables of MATLAB files, in which nothing is executed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lowlabel.datasets.io.apart import read_apart
from lowlabel.errors import DataError
from lowlabel.reading import reading

_FAILED = {1: "it is damaged: scipy does not read it"}  # and is not asked to do so again


def read_mat(path: Path, names: Sequence[str], problem: str, fix: str) -> dict[str, Any]:
    """Reads variables, squeezed.

    Args:
        path: The file.
        names: The variables.
        problem: What is said of a damaged file.
        fix: How to get an intact one.

    Raises:
        DataError: If the file cannot be read, is one of MATLAB 7.3, or lacks a variable.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    with reading(path, problem, fix, (MatReadError, NameError)):  # scipy raises both
        read_apart(path, "mat_trial.py", "MATLAB's reader in scipy", _FAILED, names)
        try:
            content = loadmat(path, squeeze_me=True, variable_names=names)
        except NotImplementedError as error:
            raise DataError(
                f"{path} is a MATLAB 7.3 file, unlike the published annotations", fix
            ) from error
        return {name: content[name] for name in names}
