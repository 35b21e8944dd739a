"""`python run_benchmark.py …` is `lowlabel run …`."""

import sys
from pathlib import Path

# The root holds folders such as datasets/, which must not hide installed packages of that name.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).parent]

from lowlabel.__main__ import command  # noqa: E402

if __name__ == "__main__":
    command(["run", *sys.argv[1:]])
