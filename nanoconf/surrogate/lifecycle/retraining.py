"""The surrogate learns from use: ``nanoconf train --if-due``.

A process of its own, at low priority, that the keeper starts when enough runs of the archive are
new. The current model answers until a better one is complete; a training that is killed leaves it
in place, and the runs count for the next.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

from backend.keeper.learning import Learning, retrain_after
from backend.locks import Lock
from backend.runs.archive import Archive
from nanoconf.surrogate.card import Card, Promotion
from nanoconf.surrogate.lifecycle import registry
from nanoconf.surrogate.lifecycle.collection import simulations, teachable
from nanoconf.surrogate.lifecycle.promotion import decide
from nanoconf.surrogate.model import Surrogate
from nanoconf.surrogate.simulations import KEPT_OUT_KEYS, Simulations
from nanoconf.surrogate.training import train

NUMBERED = re.compile(r"model-(\d+)")


def package_data() -> Path:
    """The data sets that the shipped model was trained and judged with."""
    return registry.package_models().parent / "data"


def train_if_due(archive: Archive | None = None, epochs: int | None = None) -> str:
    """Train and decide, if enough runs are new; returns what came of it, in a line.

    Parameters
    ----------
    archive : Archive, optional
        What to learn from; the user's, where it is left out.
    epochs : int, optional
        As in `train`.
    """
    archive = archive or Archive()
    every = retrain_after()
    if not every:
        return "retraining is off (NANOCONF_RETRAIN_AFTER is 0)"
    registry.home_models().mkdir(parents=True, exist_ok=True)
    lock = Lock(registry.home_models() / "training.lock")
    if not lock.acquire():
        return "another training is in progress"
    try:
        for leftover in registry.home_models().glob(".model-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        current = Surrogate.load()
        learning = _look(archive, current)
        learning.save(archive.home)
        if len(learning.fresh) < every:
            return f"{len(learning.fresh)} new runs for training; retraining starts at {every}"
        outcome = _retrain(archive, learning, current, epochs)
        Learning(learning.learnt | learning.fresh, frozenset(), learning.useless, outcome).save(
            archive.home
        )
        return outcome
    finally:
        lock.release()


def _look(archive: Archive, current: Surrogate) -> Learning:
    """Look at the runs that ended since the last time."""
    learning = Learning.load(archive.home)
    judges = _judges()
    ended = [run for run in archive.runs() if run.id not in learning.looked_at and run.finished]
    fresh = {run.id for run in ended if teachable(run, current.learnt, judges)}
    useless = {run.id for run in ended} - fresh
    return Learning(
        learning.learnt, learning.fresh | fresh, learning.useless | useless, learning.outcome
    )


def _judges() -> set[str]:
    """Keys of the systems that nothing may be learnt from."""
    keys = set(KEPT_OUT_KEYS)
    for name in ("validation", "test"):
        keys |= set(Simulations.load(package_data() / name).keys)
    return keys


def _retrain(archive: Archive, learning: Learning, current: Surrogate, epochs: int | None) -> str:
    known = {run.id: run for run in archive.runs()}
    wanted = (learning.learnt | learning.fresh) & known.keys()
    more = simulations(known[run_id] for run_id in sorted(wanted))
    validation = package_data() / "validation"
    folder = registry.home_models() / _next_name()
    train(
        package_data() / "grid",
        folder,
        validation_folder=validation,
        more=more,
        epochs=epochs,
        promotion=Promotion(False, reason="not yet compared"),
        progress=False,
    )
    decision = decide(Surrogate.load(folder), current, Simulations.load(validation))
    _note(folder, decision, len(more))
    if not decision.promoted:
        return f"{folder.name} is rejected: {decision.reason}"
    registry.promote(folder.name)
    return f"{folder.name} is now the current model: {decision.reason}"


def _note(folder: Path, decision: Promotion, runs: int) -> None:
    card = Card.load(folder)
    data = replace(card.data, archive_runs=runs)
    replace(card, promotion=decision, data=data).save(folder)


def _next_name() -> str:
    numbers = [
        int(found[1]) for model in registry.models() if (found := NUMBERED.fullmatch(model.name))
    ]
    return f"model-{max(numbers, default=0) + 1}"
