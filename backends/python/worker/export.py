#!/usr/bin/env python3
"""Exports programs from PyTorch to ONNX: python -s export.py, in PyTorch's
environment. The worker of ONNX Runtime starts it."""

import sys

from dlworker.frameworks.onnx_export import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
