"""`python -m benchmarks.export`: the table of the export alone."""

import sys

from benchmarks.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["export", *sys.argv[1:]]))
