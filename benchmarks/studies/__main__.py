"""``python -m benchmarks.studies [STUDY …]``: run studies and write them to ``docs/studies``."""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks.studies import agreement, plots, scaling, seeds, shift, starts
from benchmarks.studies.report import log, save_results
from nanoconf.tables import aligned

OTHERS = {"agreement": agreement, "error bars": seeds, "scaling": scaling, "starts": starts}


def study(name: str, duration_ns: float) -> str:
    """Run a study, save its results and figure, and return its table."""
    if name in shift.STUDIES:
        shifts = shift.measure(name, duration_ns)
        save_results(name, [each.to_dict() for each in shifts])
        plots.draw_shifts(name, shifts)
        return aligned(shift.rows(shifts))
    module = OTHERS[name]
    measured = module.measure()
    save_results(name, [e.to_dict() for e in measured] if isinstance(measured, list) else measured)
    module.draw(measured)
    return aligned(module.rows(measured))


def main() -> int:
    """Run the given studies, or all of them."""
    names = [*shift.STUDIES, *OTHERS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies", description=__doc__)
    parser.add_argument("study", nargs="*", help=f"{', '.join(names)} (default: all)")
    parser.add_argument(
        "--duration-ns",
        type=float,
        default=shift.DURATION_NS,
        metavar="NS",
        help="duration of each run in studies of a setting (default: %(default)g)",
    )
    options = parser.parse_args()
    chosen = options.study or names
    for name in chosen:
        if name not in names:
            parser.error(f"study = {name!r}: must be one of {', '.join(names)}")
    for name in chosen:
        started = time.monotonic()
        print(f"\n{name}\n{study(name, options.duration_ns)}", flush=True)
        log(f"{name}: {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
