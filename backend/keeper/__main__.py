"""Run the keeper of a home: ``python -P -m backend.keeper HOME``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from backend.keeper.election import IDLE_SECONDS
from backend.keeper.process import keep


def main(arguments: list[str] | None = None) -> int:
    """Run the keeper of a home; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="backend.keeper", description="Start and monitor the runs of an archive."
    )
    parser.add_argument("home", type=Path, help="the folder of the archive")
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS, help="idle seconds before exit")
    parser.add_argument("--environment", default="", help="fingerprint of its environment")
    options = parser.parse_args(arguments)
    return keep(options.home.absolute(), options.idle, options.environment)


if __name__ == "__main__":
    sys.exit(main())
