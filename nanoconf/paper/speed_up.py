"""Effective speed-up of a surrogate, equation 3 of the paper.

The effective speed-up of Fox et al., "Learning everywhere: pervasive machine learning for effective
high-performance computation" (2019), is the work done divided by the time it took. With a
surrogate, each of N_lookup predictions and N_train training simulations counts as a result worth
T_seq. A prediction takes T_lookup and a training simulation T_train + T_learn:

    S = T_seq (N_lookup + N_train) / (T_lookup N_lookup + (T_train + T_learn) N_train)

T_seq      time of a simulation on one core
T_train    time of a training simulation, in parallel
T_learn    time to train the network, divided by N_train
T_lookup   time of a prediction

Without predictions, S = T_seq/(T_train + T_learn), the gain from parallel simulation alone. With
many predictions, S → T_seq/T_lookup. S counts the training simulations as results. If they have no
value of their own, the speed-up is S' = T_seq N_lookup / (same denominator), which starts at zero.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backend.files import read_json
from backend.system import InvalidInput
from nanoconf.data import dataset
from nanoconf.data.published import SYSTEMS
from nanoconf.paper.published_network import PaperNetwork, Predict
from nanoconf.paper.report import tidy

LOOKUPS = (0, 1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
TIMED_LOOKUPS = 300

STALLED = 100
"""Runs longer than this multiple of the median run time are discarded: the computer was asleep."""

PAPER = {"simulation_seconds": 36 * 60.0, "simulation_cores": 128, "lookup_seconds": 0.2}
"""Times reported in the paper."""


@dataclass(frozen=True)
class Times:
    """Times and counts in equation 3.

    Attributes
    ----------
    sequential, training, learning, lookup : float
        T_seq, T_train, T_learn and T_lookup (s).
    simulations : int
        N_train, the simulations needed for training, including the test set.
    stalled : int
        Number of runs excluded from T_seq; see `STALLED`.
    """

    sequential: float
    training: float
    learning: float
    lookup: float
    simulations: int
    stalled: int = 0

    @property
    def invested(self) -> float:
        """Time spent before the first prediction, (T_train + T_learn) N_train (s)."""
        return (self.training + self.learning) * self.simulations

    def speed_up(self, lookups: Any) -> Any:
        """Return S of equation 3 for a number of predictions, or an array of numbers."""
        done = self.sequential * (lookups + self.simulations)
        return done / (self.lookup * lookups + self.invested)

    def speed_up_of_predictions(self, lookups: Any) -> Any:
        """Return S', which does not count the training simulations as results."""
        return self.sequential * lookups / (self.lookup * lookups + self.invested)

    @property
    def break_even(self) -> float:
        """N_p, the number of predictions at which S reaches 1.

        N_p = N_train (T_train + T_learn − T_seq)/(T_seq − T_lookup). It is zero if parallel
        simulation saves more than training costs, and infinite if a prediction takes as long as a
        simulation.
        """
        extra = self.invested - self.sequential * self.simulations
        return self._predictions_to_recover(extra)

    @property
    def break_even_of_predictions(self) -> float:
        """The same for S': N_train (T_train + T_learn)/(T_seq − T_lookup)."""
        return self._predictions_to_recover(self.invested)

    def _predictions_to_recover(self, cost: float) -> float:
        if cost <= 0:
            return 0.0
        saved = self.sequential - self.lookup
        return cost / saved if saved > 0 else float("inf")

    @property
    def limit(self) -> float:
        """Limit of S for many predictions, T_seq/T_lookup."""
        return self.sequential / self.lookup


def measured_times(
    data_folder: str | Path, network: PaperNetwork, cores: list[dict[str, float]]
) -> Times:
    """Collect the times of this project.

    Parameters
    ----------
    data_folder : path
        Training simulations of the network, each run on one core.
    network : PaperNetwork
        Trained network. Its card gives the training time; its prediction is timed here.
    cores : list of dict
        Scaling of a simulation with the number of cores, from `scaling`. If empty, T_train is
        T_seq.

    Raises
    ------
    InvalidInput
        If the folder contains no dataset.
    """
    rows = dataset.load(data_folder)
    seconds = rows.drop_duplicates(["system", "seed"])["seconds"].to_numpy()
    regular = seconds[seconds <= STALLED * np.median(seconds)]
    sequential = float(regular.mean())
    systems = network.card["systems"]
    count = len(systems["training"]) + len(systems["test"])
    return Times(
        sequential=sequential,
        training=sequential / max((each["speed_up"] for each in cores), default=1.0),
        learning=network.card["training"]["seconds"] / count,
        lookup=time_lookup(network),
        simulations=count,
        stalled=len(seconds) - len(regular),
    )


def time_lookup(predict: Predict) -> float:
    """Measure the median time (s) of one prediction after a warm-up."""
    system = [next(iter(SYSTEMS.values()))]
    predict(system)
    seconds = []
    for _ in range(TIMED_LOOKUPS):
        started = time.perf_counter()
        predict(system)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))


def scaling(file: Path) -> list[dict[str, float]]:
    """Read how the time of a simulation scales with the number of cores.

    Parameters
    ----------
    file : Path
        Results of ``python -m benchmarks.studies scaling``.

    Returns
    -------
    list of dict
        ``cores``, ``seconds``, ``speed_up`` relative to the fewest cores, and ``efficiency``; empty
        if the file does not exist.

    Raises
    ------
    InvalidInput
        If the file has a different format.
    """
    if not file.is_file():
        return []
    try:
        measured = sorted(read_json(file)["cores"], key=lambda each: each["cores"])
        return [
            {
                "cores": each["cores"],
                "seconds": tidy(each["seconds"]),
                "speed_up": tidy(measured[0]["seconds"] / each["seconds"]),
                "efficiency": tidy(
                    measured[0]["cores"] * measured[0]["seconds"] / each["cores"] / each["seconds"]
                ),
            }
            for each in measured
        ]
    except (OSError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        problem = f"is not a result of the scaling study ({error!r})"
        raise InvalidInput("scaling", str(file), problem) from error


def numbers(times: Times, cores: list[dict[str, float]]) -> dict[str, Any]:
    """Return times, speed-ups and scaling as JSON values."""
    return {
        "seconds": {
            name: tidy(value)
            for name, value in asdict(times).items()
            if name not in ("simulations", "stalled")
        },
        "simulations": times.simulations,
        "stalled_runs": times.stalled,
        "break_even": tidy(times.break_even),
        "break_even_of_predictions": tidy(times.break_even_of_predictions),
        "limit": tidy(times.limit),
        "lookups": list(LOOKUPS),
        "S": tidy([times.speed_up(lookups) for lookups in LOOKUPS]),
        "S_of_predictions": tidy([times.speed_up_of_predictions(n) for n in LOOKUPS]),
        "md_scaling": cores,
        "paper": PAPER,
    }


# --- tables and figures ---------------------------------------------------------------------


def time_rows(times: Times) -> list[list[str]]:
    """Table of the measured times."""
    return [
        ["", "here", "paper"],
        ["T_seq, simulation on one core", f"{times.sequential:.3g} s", ""],
        [
            "T_train, simulation in parallel",
            f"{times.training:.3g} s",
            f"{PAPER['simulation_seconds']:.0f} s ({PAPER['simulation_cores']} cores)",
        ],
        ["T_learn, training time per simulation", f"{times.learning:.3g} s", ""],
        ["T_lookup, prediction", f"{times.lookup:.3g} s", f"{PAPER['lookup_seconds']:g} s"],
        ["N_train, training simulations", str(times.simulations), ""],
        [
            f"runs longer than {STALLED} times the median, excluded from T_seq",
            str(times.stalled),
            "",
        ],
        ["N_p, predictions until S > 1", _count(times.break_even), ""],
        ["N_p', predictions until S' > 1", _count(times.break_even_of_predictions), ""],
        ["T_seq/T_lookup", f"{times.limit:,.0f}", ""],
    ]


def rows(times: Times) -> list[list[str]]:
    """Table of S and S' by number of predictions."""
    return [
        ["N_lookup", "S (eq. 3)", "S', training simulations not counted"],
        *(
            [f"{n:,}", f"{times.speed_up(n):,.3g}", f"{times.speed_up_of_predictions(n):,.3g}"]
            for n in LOOKUPS
        ),
    ]


def scaling_rows(cores: list[dict[str, float]]) -> list[list[str]]:
    """Table of the scaling of a simulation with the number of cores."""
    return [
        ["cores", "simulation time", "speed-up", "efficiency"],
        *(
            [
                str(each["cores"]),
                f"{each['seconds']:.2f} s",
                f"{each['speed_up']:.2f}",
                f"{each['efficiency']:.0%}",
            ]
            for each in cores
        ),
    ]


def _count(number: float) -> str:
    return f"{np.ceil(number):,.0f}" if np.isfinite(number) else "never"


def draw(times: Times, cores: list[dict[str, float]]) -> Any:
    """Draw S and S' against the number of predictions and, if measured, the scaling with cores."""
    from nanoconf.paper.report import COLOURS, figure

    panels = 2 if cores else 1
    picture, axes = figure(1, panels, size=(5.5 * panels, 4.0))
    axis = axes[0, 0]
    lookups = np.geomspace(1, LOOKUPS[-1], 200)
    axis.loglog(lookups, times.speed_up(lookups), "-", color=COLOURS[0], label="S, equation 3")
    axis.loglog(
        lookups,
        times.speed_up_of_predictions(lookups),
        "--",
        color=COLOURS[1],
        label="S', training simulations not counted",
    )
    axis.axhline(1, color="0.4", linewidth=0.8)
    axis.axhline(
        times.limit, color=COLOURS[2], linestyle=":", label=f"T_seq/T_lookup = {times.limit:,.0f}"
    )
    axis.set_xlabel("predictions, $N_{lookup}$")
    axis.set_ylabel("effective speed-up")
    axis.legend(fontsize=8)
    if cores:
        _draw_scaling(axes[0, 1], cores)
    return picture


def _draw_scaling(axis: Any, cores: list[dict[str, float]]) -> None:
    from nanoconf.paper.report import COLOURS

    count = np.array([each["cores"] for each in cores])
    axis.plot(
        count, [each["speed_up"] for each in cores], "o-", color=COLOURS[0], label="simulation"
    )
    axis.plot(count, count / count[0], ":", color="0.4", label="ideal")
    axis.set_xticks(count)
    axis.set_xlabel("cores")
    axis.set_ylabel("speed-up")
    axis.legend(fontsize=8)
