"""Retraining of the surrogate on the runs in the archive: ``nanoconf train --if-due``.

The keeper starts it in a separate process at low priority when the archive has enough new runs. The
current model stays in use until a better one is complete. If the training is killed, its runs are
used by the next training.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

from backend.extras import require
from backend.keeper.learning import RETRAINING, Learning, retrain_after
from backend.locks import Lock
from backend.runs.archive import Archive
from nanoconf.surrogate.card import Card, Promotion
from nanoconf.surrogate.lifecycle import registry
from nanoconf.surrogate.lifecycle.collection import eligible, simulations
from nanoconf.surrogate.lifecycle.promotion import decide
from nanoconf.surrogate.model import Surrogate
from nanoconf.surrogate.simulations import KEPT_OUT_KEYS, Simulations
from nanoconf.surrogate.training import train

NUMBERED = re.compile(r"model-(\d+)")


def package_data() -> Path:
    """Return the folder of the datasets used to train and evaluate the shipped model."""
    return registry.package_models().parent / "data"


def train_if_due(archive: Archive | None = None, epochs: int | None = None) -> str:
    """Retrain the model if there are enough new runs, and promote it if it is not worse.

    Parameters
    ----------
    archive : Archive, optional
        Archive of the runs; the user's archive by default.
    epochs : int, optional
        As in `train`.

    Returns
    -------
    str
        Outcome on one line.

    Raises
    ------
    MissingExtra
        The packages for training are not installed.
    """
    archive = archive or Archive()
    every = retrain_after()
    if not every:
        return "retraining is off (NANOCONF_RETRAIN_AFTER is 0)"
    require(*RETRAINING)
    registry.home_models().mkdir(parents=True, exist_ok=True)
    lock = Lock(registry.home_models() / "training.lock")
    if not lock.acquire():
        return "another training run is in progress"
    try:
        for leftover in registry.home_models().glob(".model-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        current = Surrogate.load()
        learning = _collect(archive, current)
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


def _collect(archive: Archive, current: Surrogate) -> Learning:
    """Collect the runs that have ended since the last call."""
    learning = Learning.load(archive.home)
    excluded = _evaluation_systems()
    ended = [run for run in archive.runs() if run.id not in learning.looked_at and run.finished]
    fresh = {run.id for run in ended if eligible(run, current.domain, excluded)}
    useless = {run.id for run in ended} - fresh
    return Learning(
        learning.learnt, learning.fresh | fresh, learning.useless | useless, learning.outcome
    )


def _evaluation_systems() -> set[str]:
    """Return the keys of the evaluation systems, which must not be used for training."""
    keys = set(KEPT_OUT_KEYS)
    for name in ("validation", "test"):
        keys |= set(Simulations.load(package_data() / name).keys)
    return keys


def _retrain(archive: Archive, learning: Learning, current: Surrogate, epochs: int | None) -> str:
    known = {run.id: run for run in archive.runs()}
    wanted = (learning.learnt | learning.fresh) & known.keys()
    extra = simulations(known[run_id] for run_id in sorted(wanted))
    validation = package_data() / "validation"
    folder = registry.home_models() / _next_name()
    train(
        package_data() / "grid",
        folder,
        validation_folder=validation,
        extra=extra,
        epochs=epochs,
        promotion=Promotion(False, reason="not yet compared"),
        progress=False,
    )
    decision = decide(Surrogate.load(folder), current, Simulations.load(validation))
    _record(folder, decision, len(extra))
    if not decision.promoted:
        return f"{folder.name} is rejected: {decision.reason}"
    registry.promote(folder.name)
    return f"{folder.name} is now the current model: {decision.reason}"


def _record(folder: Path, decision: Promotion, runs: int) -> None:
    card = Card.load(folder)
    data = replace(card.data, archive_runs=runs)
    replace(card, promotion=decision, data=data).save(folder)


def _next_name() -> str:
    # the folders, not the cards: a damaged model keeps its number
    places = (registry.home_models(), registry.package_models())
    folders = [folder for place in places for folder in registry.model_folders(place)]
    numbers = [int(found[1]) for each in folders if (found := NUMBERED.fullmatch(each.name))]
    return f"model-{max(numbers, default=0) + 1}"
