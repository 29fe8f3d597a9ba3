"""Trains a model: an ensemble, its error band, and a card that says what it is worth."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from backend import __version__
from backend.profiles.bins import BINS
from backend.system import InvalidInput
from nanoconf.surrogate import band
from nanoconf.surrogate.card import KIND, Card, Data, DataSet, Metrics, Promotion, Systems
from nanoconf.surrogate.domain import Domain
from nanoconf.surrogate.evaluation import evaluate
from nanoconf.surrogate.fitting import TRAINING, Fit, Lessons, fit, thinned, usual_epochs
from nanoconf.surrogate.lifecycle.collection import merged
from nanoconf.surrogate.model import Surrogate
from nanoconf.surrogate.network import SHIPPED, save
from nanoconf.surrogate.shape import HALF
from nanoconf.surrogate.simulations import KEPT_OUT_KEYS, Simulations
from nanoconf.surrogate.tf import THREADS, versions

NICENESS = 10
HELD_OUT = 0.1
FEWEST = 10
"""Systems of a pair of valencies: fewer are too few to learn from."""


def train(
    data_folder: str | Path,
    output_folder: str | Path,
    *,
    validation_folder: str | Path | None = None,
    more: Simulations | None = None,
    epochs: int | None = None,
    seed: int = 1,
    promotion: Promotion | None = None,
    progress: bool = True,
    background: bool = True,
) -> Card:
    """Train a model and write its folder.

    Parameters
    ----------
    data_folder : path
        Data set: ``profiles.parquet`` and ``card.json``. The ten systems that the paper shows are
        left out.
    output_folder : path
        The model's folder; its last part is the model's name. A folder that is there is replaced.
    validation_folder : path, optional
        Data set that sets the error band and gives the card's metrics; its systems are left out of
        the training. Where it is left out, a tenth of the systems is held back for that.
    more : Simulations, optional
        Runs to learn from besides; those of one system are averaged. They leave the domain as the
        data set makes it.
    epochs : int, optional
        Passes through the training systems; `usual_epochs` where they are left out.
    seed : int
        Seed of the first weights, the order of the lessons and of what is held back. On one machine
        the same seed and data give the same model.
    promotion : Promotion, optional
        Of a retrained model, for the card.
    progress : bool
        Show a progress bar on stderr.
    background : bool
        Lower the priority of this process, for good.

    Returns
    -------
    Card
        The model's card, as in ``card.json``.

    Raises
    ------
    InvalidInput
        A parameter is out of range, or the data are too few or cannot be learnt by this network.
    """
    started = time.monotonic()
    if epochs is not None and epochs < 1:
        raise InvalidInput("epochs", epochs, "must be 1 or more")
    training, validation, domain = learnable(data_folder, validation_folder, seed)
    if more is not None and len(more):
        training = merged([training, more])
    epochs = epochs or usual_epochs(len(training))
    if background:
        _lower_priority()
    output = Path(output_folder).absolute()
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        found = _fitted(training, validation, epochs, seed, progress)
        save(found.network, folder)
        card = Card(
            name=output.name,
            kind=KIND,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            version=__version__,
            packages=versions("ai-edge-litert"),
            inputs=list(domain.ranges),
            bins={"slit": BINS, "learnt": HALF},
            domain=domain,
            data=Data(_described(training), _described(validation)),
            architecture=SHIPPED.to_dict(),
            training=TRAINING
            | {
                "seed": seed,
                "epochs": epochs,
                "seconds": round(time.monotonic() - started, 1),
                "threads": THREADS,
                "training_loss": thinned(found.training_loss),
                "validation_loss": thinned(found.validation_loss),
            },
            systems=Systems(
                " ".join(domain.ranges), sorted(set(training.keys)), sorted(set(validation.keys))
            ),
            promotion=promotion,
        )
        card = _judged(card, folder, validation)
        _put_in_place(folder, output)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return card


# --- the data -------------------------------------------------------------------------------


def learnable(
    data_folder: str | Path, validation_folder: str | Path | None, seed: int
) -> tuple[Simulations, Simulations, Domain]:
    """What is learnt from, what judges, and the domain that both make.

    Raises
    ------
    InvalidInput
        The data differ in what is no input of the network, or are too few.
    """
    data = Simulations.load(data_folder).without(KEPT_OUT_KEYS)
    try:
        domain = Domain.of(data.systems)
        held_out = None if validation_folder else split(data, seed)
        _demand_enough(data)
    except ValueError as problem:
        raise InvalidInput("data", str(data_folder), str(problem)) from None
    if validation_folder is not None:
        validation = Simulations.load(validation_folder)
        for system in validation.systems:
            domain.check(system)
        return data.without(set(validation.keys)), validation, domain
    assert held_out is not None
    return data.without(held_out), data.only(held_out), domain


def split(data: Simulations, seed: int, share: float = HELD_OUT) -> set[str]:
    """Keys of the systems to hold back: a share of each pair of valencies, drawn at random.

    All runs of a system stay on one side.
    """
    random = np.random.default_rng(seed)
    held: set[str] = set()
    valencies = dict(zip(data.keys, (system.valencies for system in data.systems), strict=True))
    for pair in sorted(set(valencies.values())):
        members = sorted(key for key in valencies if valencies[key] == pair)
        order = random.permutation(len(members))[: max(1, round(share * len(members)))]
        held |= {members[index] for index in order}
    return held


def _demand_enough(data: Simulations) -> None:
    systems: dict[tuple[int, int], set[str]] = {}
    for key, system in zip(data.keys, data.systems, strict=True):
        systems.setdefault(system.valencies, set()).add(key)
    for pair, keys in sorted(systems.items()):
        if len(keys) < FEWEST:
            raise ValueError(
                f"{len(keys)} systems with valencies {pair[0]}:{pair[1]} are too few to learn "
                f"from: {FEWEST} are the least"
            )


def _described(data: Simulations) -> DataSet:
    return DataSet(data.sha256, len(data), len(set(data.keys)))


# --- the work -------------------------------------------------------------------------------


def _fitted(
    training: Simulations, validation: Simulations, epochs: int, seed: int, progress: bool
) -> Fit:
    from tqdm import tqdm

    bar = tqdm(
        total=epochs,
        unit=" epochs",
        mininterval=1 if sys.stderr.isatty() else 30,  # a log file needs no line a second
        disable=not progress,
    )
    with bar:
        return fit(Lessons.of(training), Lessons.of(validation), epochs, seed, bar.update)


def _judged(card: Card, folder: Path, validation: Simulations) -> Card:
    """The card with the error band and with what the finished model is worth, written down."""
    card.save(folder)
    mean, spread, place = Surrogate.load(folder).ensemble(validation.systems)
    table = band.calibrated(validation.systems, place, mean, spread, *validation.relative())
    card = replace(card, band=table)
    card.save(folder)
    metrics = Metrics.from_dict(evaluate(folder, validation, seen_too=True))
    card = replace(card, metrics=metrics)
    card.save(folder)
    return card


def _lower_priority() -> None:
    if hasattr(os, "nice"):
        os.nice(max(0, NICENESS - os.nice(0)))


def _put_in_place(folder: Path, output: Path) -> None:
    """Rename a finished folder to its name; what had the name is removed."""
    folder.chmod(0o755)
    old = None
    if output.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
        output.rename(old / "old")
    folder.rename(output)
    if old is not None:
        shutil.rmtree(old)
