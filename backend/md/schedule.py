"""How the time of a simulation is divided."""

from __future__ import annotations

import math
from dataclasses import dataclass

from backend.settings import RunSettings
from backend.system import SlitSystem

EQUILIBRATION_TIME = 100.0
"""Time before sampling starts (τ): some twenty times what ions need to diffuse across the slit."""

ROW_TIME = 0.1
"""Time over which the recorded series are averaged (τ)."""

CHUNK_TIME = 2.0
"""Length of a chunk (τ): short enough to stop within a fraction of a second."""

BLOCKS_PER_REPLICA = 20
"""Blocks that error bars come from, at least."""

TALLIES_PER_REPLICA = 200
"""Tallies kept of a replica, about; blocks are made of them."""


@dataclass(frozen=True)
class Schedule:
    """How the time of each replica is divided: rows make a chunk, chunks a tally.

    Attributes
    ----------
    samples_per_row : int
        Samples (one every `steps_per_sample` steps) averaged in one row of the recorded series.
    rows_per_chunk : int
        Rows in a chunk, the shortest stretch that is simulated in one go.
    chunks_per_tally : int
        Chunks in a tally.
    equilibration : int
        Chunks before sampling starts.
    tallies : int
        Tallies of the production phase.
    """

    samples_per_row: int
    rows_per_chunk: int
    chunks_per_tally: int
    equilibration: int
    tallies: int

    @classmethod
    def of(cls, system: SlitSystem, settings: RunSettings) -> Schedule:
        """The schedule of a run."""
        interval = settings.time_step * settings.steps_per_sample
        length = settings.duration_ns / settings.replicas / system.time_unit_ns
        samples_per_row = max(1, round(ROW_TIME / interval))
        row = samples_per_row * interval
        rows_per_chunk = max(1, round(min(CHUNK_TIME, length / BLOCKS_PER_REPLICA) / row))
        chunk = rows_per_chunk * row
        chunks_per_tally = max(1, round(length / TALLIES_PER_REPLICA / chunk))
        return cls(
            samples_per_row=samples_per_row,
            rows_per_chunk=rows_per_chunk,
            chunks_per_tally=chunks_per_tally,
            equilibration=math.ceil(EQUILIBRATION_TIME / chunk),
            tallies=max(BLOCKS_PER_REPLICA, round(length / (chunks_per_tally * chunk))),
        )

    @property
    def samples_per_chunk(self) -> int:
        """Samples in a chunk."""
        return self.samples_per_row * self.rows_per_chunk

    @property
    def samples_per_tally(self) -> int:
        """Samples in a tally."""
        return self.samples_per_chunk * self.chunks_per_tally

    def steps(self, settings: RunSettings) -> int:
        """Time steps of all replicas together."""
        chunks = self.equilibration + self.tallies * self.chunks_per_tally
        return chunks * self.samples_per_chunk * settings.steps_per_sample * settings.replicas
