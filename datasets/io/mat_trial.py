"""Reads a MATLAB file once, as a script in a process of its own: `mat_trial.py FILE NAME…`.

scipy's reader may crash on damaged bytes, which no exception tells, or take all memory.
"""

import sys
from contextlib import suppress

from scipy.io import loadmat

_MOST_BYTES = 4 << 30  # the published annotations take some megabytes


def _limit_memory() -> None:
    """Takes at most some gigabytes, where the system has such limits."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, hard))


def main() -> None:
    """Reads the named variables, as they are read afterwards."""
    _limit_memory()
    with suppress(NotImplementedError):  # of MATLAB 7.3, which is told where the file is read
        loadmat(sys.argv[1], squeeze_me=True, variable_names=sys.argv[2:])


if __name__ == "__main__":
    main()
