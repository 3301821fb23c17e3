"""`python -m sequencer`: the command line."""

import sys

from sequencer.cli import main

if __name__ == "__main__":
    sys.exit(main())
