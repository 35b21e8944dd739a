"""Reads a MATLAB file once, as a script in a process of its own: `mat_trial.py FILE`.

scipy's reader may crash on damaged bytes, which no exception tells, or take all memory.
"""

import resource
import sys

from scipy.io import loadmat

_MOST_BYTES = 4 << 30  # the published annotations take some megabytes


def main() -> None:
    """Reads all variables."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, hard))
    loadmat(sys.argv[1], squeeze_me=True)


if __name__ == "__main__":
    main()
