"""Run the command line with `python -m genbench`."""

import sys

from genbench.cli import main

if __name__ == "__main__":
    sys.exit(main())
