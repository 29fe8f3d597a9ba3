"""Division of the simulated time into rows, chunks, tallies and stages."""

from __future__ import annotations

import math
from dataclasses import dataclass

from backend.settings import RunSettings
from backend.system import SlitSystem

EQUILIBRATION_TIME = 100.0
"""Shortest time before sampling starts (τ of the larger ion): 40 relaxation times or more in the
systems of the paper. See `backend.sampling.equilibration` for slower systems."""

ROW_TIME = 0.1
"""Time over which one row of the time series is averaged (τ)."""

CHUNK_TIME = 2.0
"""Length of a chunk (τ), short enough to stop a run within a fraction of a second."""

BLOCKS_PER_REPLICA = 20
"""Minimum number of blocks per replica for error bars."""

PREVIEW_BLOCKS = 4
"""Minimum number of blocks of a replica for the profile of a run in progress."""

TALLIES_PER_REPLICA = 200
"""Approximate number of tallies per replica, which are merged into blocks."""

STAGE_GROWTH = 1.25
"""Ratio of the run lengths at successive convergence checks, for runs with a target error."""


@dataclass(frozen=True)
class Schedule:
    """Division of the time of a replica: rows make a chunk, chunks make a tally.

    Attributes
    ----------
    samples_per_row : int
        Samples (one every `steps_per_sample` steps) averaged in one row of the time series.
    rows_per_chunk : int
        Rows in a chunk, the unit that is simulated without interruption.
    chunks_per_tally : int
        Chunks in a tally.
    equilibration : int
        Number of chunks before sampling starts.
    stages : tuple of int
        Number of tallies at the end of each stage of the production phase; a single stage unless
        a target error may end the run early.
    """

    samples_per_row: int
    rows_per_chunk: int
    chunks_per_tally: int
    equilibration: int
    stages: tuple[int, ...]

    @classmethod
    def of(cls, system: SlitSystem, settings: RunSettings) -> Schedule:
        """Return the schedule of a run."""
        interval = settings.time_step * settings.steps_per_sample
        length = settings.duration_ns / settings.replicas / system.time_unit_ns
        samples_per_row = max(1, round(ROW_TIME / interval))
        row = samples_per_row * interval
        rows_per_chunk = max(1, round(min(CHUNK_TIME, length / BLOCKS_PER_REPLICA) / row))
        chunk = rows_per_chunk * row
        tallied = length / TALLIES_PER_REPLICA if settings.target_error is None else chunk
        chunks_per_tally = max(1, round(tallied / chunk))
        tallies = max(BLOCKS_PER_REPLICA, round(length / (chunks_per_tally * chunk)))
        return cls(
            samples_per_row=samples_per_row,
            rows_per_chunk=rows_per_chunk,
            chunks_per_tally=chunks_per_tally,
            equilibration=math.ceil(EQUILIBRATION_TIME * system.diameter_ratio / chunk),
            stages=_stages(tallies) if settings.target_error is not None else (tallies,),
        )

    @property
    def samples_per_chunk(self) -> int:
        """Samples in a chunk."""
        return self.samples_per_row * self.rows_per_chunk

    @property
    def samples_per_tally(self) -> int:
        """Samples in a tally."""
        return self.samples_per_chunk * self.chunks_per_tally

    @property
    def samples_per_replica(self) -> int:
        """Samples of a replica that runs through all stages."""
        return self.stages[-1] * self.samples_per_tally

    def samples_per_snapshot(self, snapshots: int) -> int:
        """Return the number of samples between snapshots that span the longest possible run."""
        return self.samples_per_replica // snapshots

    def tally_ns(self, system: SlitSystem, settings: RunSettings) -> float:
        """Return the time span of a tally (ns)."""
        interval = settings.steps_per_sample * settings.time_step
        return self.samples_per_tally * interval * system.time_unit_ns

    def equilibration_steps(self, settings: RunSettings) -> int:
        """Return the number of time steps of a replica before sampling starts."""
        return self.equilibration * self.samples_per_chunk * settings.steps_per_sample

    def steps(self, settings: RunSettings) -> int:
        """Return the number of time steps of all stages, summed over the replicas."""
        chunks = self.equilibration + self.stages[-1] * self.chunks_per_tally
        return chunks * self.samples_per_chunk * settings.steps_per_sample * settings.replicas


def _stages(tallies: int) -> tuple[int, ...]:
    stages = [BLOCKS_PER_REPLICA]
    while stages[-1] < tallies:
        stages.append(min(tallies, math.ceil(stages[-1] * STAGE_GROWTH)))
    return tuple(stages)
