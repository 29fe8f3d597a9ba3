"""Entry point of the worker, ``python -P -m backend.worker RUN_DIR``: see `backend.runs.worker`."""

from __future__ import annotations

import sys

from backend.runs.worker import main

if __name__ == "__main__":
    sys.exit(main())
