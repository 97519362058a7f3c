#!/usr/bin/env python3
"""The dlbench worker for Python frameworks: python -s worker.py NAME.

NAME is a row of dlworker.frameworks.TABLE. The protocol is PROTOCOL.md of the
repository.
"""

import sys

from dlworker.session import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
