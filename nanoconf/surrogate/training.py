"""Training of a model: the ensemble, its error band and its card."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from backend import __version__
from backend.profiles.bins import BINS, HALF
from backend.system import InvalidInput
from nanoconf.surrogate import band
from nanoconf.surrogate.card import KIND, Card, Data, DataSet, Metrics, Promotion, Systems
from nanoconf.surrogate.domain import Domain
from nanoconf.surrogate.evaluation import evaluate
from nanoconf.surrogate.fitting import TRAINING, Fit, TrainingSet, default_epochs, fit, thinned
from nanoconf.surrogate.lifecycle.collection import merged
from nanoconf.surrogate.model import Surrogate
from nanoconf.surrogate.network import SHIPPED, save
from nanoconf.surrogate.runtime import checksums, load_network
from nanoconf.surrogate.simulations import KEPT_OUT_KEYS, Simulations
from nanoconf.surrogate.tf import THREADS, versions

NICENESS = 10
HELD_OUT = 0.1
"""Share of the systems that is held out for validation."""

MINIMUM_SYSTEMS = 10
"""Minimum number of systems for each pair of valencies."""


def train(
    data_folder: str | Path,
    output_folder: str | Path,
    *,
    validation_folder: str | Path | None = None,
    extra: Simulations | None = None,
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
        Dataset: ``profiles.parquet`` and ``card.json``. The ten systems shown in the paper are
        excluded.
    output_folder : path
        Folder of the model. Its last component is the model's name. An existing folder is replaced.
    validation_folder : path, optional
        Dataset used to calibrate the error band and to compute the metrics of the card. Its
        systems are excluded from the training set. By default a tenth of the systems is held out.
    extra : Simulations, optional
        Additional training data. Simulations of the same system are averaged. They do not change
        the domain.
    epochs : int, optional
        Passes through the training set; `default_epochs` by default.
    seed : int
        Seed of the initial weights, the order of the training data and the held-out systems. On a
        given machine, the same seed and data give the same model.
    promotion : Promotion, optional
        Entry in the card of a retrained model.
    progress : bool
        Show a progress bar on stderr.
    background : bool
        Lower the priority of this process permanently.

    Returns
    -------
    Card
        Card of the model, as in ``card.json``.

    Raises
    ------
    InvalidInput
        If a parameter is out of range, or the data are insufficient or unsuitable for the network.
    """
    started = time.monotonic()
    if epochs is not None and epochs < 1:
        raise InvalidInput("epochs", epochs, "must be 1 or more")
    training, validation, domain = load_sets(data_folder, validation_folder, seed)
    if extra is not None and len(extra):
        training = merged([training, extra])
    epochs = epochs or default_epochs(len(training))
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
            training=_training_record(found, seed, epochs, time.monotonic() - started),
            systems=_systems(domain, training, validation),
            promotion=promotion,
        )
        card = _evaluated(card, folder, validation)
        _replace_folder(output, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return card


def _training_record(found: Fit, seed: int, epochs: int, seconds: float) -> dict[str, Any]:
    """Return the ``training`` section of the card."""
    return TRAINING | {
        "seed": seed,
        "epochs": epochs,
        "seconds": round(seconds, 1),
        "threads": THREADS,
        "training_loss": thinned(found.training_loss),
        "validation_loss": thinned(found.validation_loss),
    }


def _systems(domain: Domain, training: Simulations, validation: Simulations) -> Systems:
    """Return the ``systems`` section of the card."""
    keys = (sorted(set(simulations.keys)) for simulations in (training, validation))
    return Systems(" ".join(domain.ranges), *keys)


# --- data -----------------------------------------------------------------------------------


def load_sets(
    data_folder: str | Path, validation_folder: str | Path | None, seed: int
) -> tuple[Simulations, Simulations, Domain]:
    """Load the training set, the validation set and their domain; parameters as for `train`.

    Raises
    ------
    InvalidInput
        If the data differ in an input that the network does not have, or are insufficient.
    """
    data = Simulations.load(data_folder).without(KEPT_OUT_KEYS)
    try:
        domain = Domain.of(data.systems)
        held_out = None if validation_folder else split(data, seed)
        _check_size(data)
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
    """Draw the keys of the held-out systems: a random share of each pair of valencies.

    All simulations of a system are in the same set.
    """
    random = np.random.default_rng(seed)
    held: set[str] = set()
    valencies = dict(zip(data.keys, (system.valencies for system in data.systems), strict=True))
    for pair in sorted(set(valencies.values())):
        members = sorted(key for key in valencies if valencies[key] == pair)
        order = random.permutation(len(members))[: max(1, round(share * len(members)))]
        held |= {members[index] for index in order}
    return held


def _check_size(data: Simulations) -> None:
    systems: dict[tuple[int, int], set[str]] = {}
    for key, system in zip(data.keys, data.systems, strict=True):
        systems.setdefault(system.valencies, set()).add(key)
    for pair, keys in sorted(systems.items()):
        if len(keys) < MINIMUM_SYSTEMS:
            raise ValueError(
                f"{len(keys)} systems with valencies {pair[0]}:{pair[1]} are too few: "
                f"at least {MINIMUM_SYSTEMS} are needed"
            )


def _described(data: Simulations) -> DataSet:
    return DataSet(data.sha256, len(data), len(set(data.keys)))


# --- fit and evaluation ---------------------------------------------------------------------


def _fitted(
    training: Simulations, validation: Simulations, epochs: int, seed: int, progress: bool
) -> Fit:
    from tqdm import tqdm

    bar = tqdm(
        total=epochs,
        unit=" epochs",
        mininterval=1 if sys.stderr.isatty() else 30,  # fewer lines in a log file
        disable=not progress,
    )
    with bar:
        return fit(TrainingSet.of(training), TrainingSet.of(validation), epochs, seed, bar.update)


def _evaluated(card: Card, folder: Path, validation: Simulations) -> Card:
    """Add the error band and the metrics of the finished model to its card, and save it."""
    network = load_network(folder, "litert", checksums(folder))
    mean, spread, place = Surrogate(folder, card, network).ensemble(validation.systems)
    table = band.calibrated(validation.systems, place, mean, spread, *validation.relative())
    card = replace(card, band=table).with_checksums(folder)
    card.save(folder)
    metrics = Metrics.from_dict(evaluate(folder, validation, include_seen=True))
    card = replace(card, metrics=metrics)
    card.save(folder)
    return card


def _lower_priority() -> None:
    if hasattr(os, "nice"):
        os.nice(max(0, NICENESS - os.nice(0)))


def _replace_folder(output: Path, folder: Path) -> None:
    """Move a finished folder to its final name, replacing any folder of that name."""
    folder.chmod(0o755)
    old = None
    if output.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
        output.rename(old / "old")
    folder.rename(output)
    if old is not None:
        shutil.rmtree(old)
