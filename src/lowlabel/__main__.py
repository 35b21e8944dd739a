"""`python -m lowlabel …` is `lowlabel …`."""

import sys

if __name__ == "__main__":
    # Python puts the working folder first, where folders such as datasets/ would hide packages.
    if not sys.flags.safe_path:
        del sys.path[0]

    from lowlabel.cli import main

    main()
