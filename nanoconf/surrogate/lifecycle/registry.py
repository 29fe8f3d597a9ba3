"""Search for trained models, and choice of the current one."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backend.environment import user_path
from backend.files import read_json, write_json
from backend.inputs import shown
from backend.runs.archive import default_home
from nanoconf.surrogate.card import CARD, Card

CURRENT = "current.json"
"""File in a folder of models whose ``{"model": NAME}`` names the current one. Without it, the
newest model that was not rejected is current. The file in the archive folder may name a model of
the package, and lists the previous ones under ``"before"``."""


class ModelNotFound(FileNotFoundError):
    """Raised if no trained model is found."""


@dataclass(frozen=True)
class FoundModel:
    """Trained model on disk.

    Attributes
    ----------
    folder : Path
        Folder of the model.
    source : {"argument", "NANOCONF_MODELS", "home", "package"}
        Origin of the searched folder.
    card : Card
        Card of the model.
    current : bool
        True for the model that `Surrogate.load` loads.
    """

    folder: Path
    source: str
    card: Card
    current: bool = False

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.card.name

    @property
    def rejected(self) -> str:
        """Reason why a retrained model was rejected; empty if it was not."""
        promotion = self.card.promotion
        return promotion.reason if promotion and not promotion.promoted else ""


def models(path: str | Path | None = None) -> list[FoundModel]:
    """Return all models, in the order of the search.

    Parameters
    ----------
    path : path, optional
        Folder to search instead of the default ones.
    """
    try:
        current = current_model(path).folder
    except ModelNotFound:
        current = None
    return [
        FoundModel(model.folder, model.source, model.card, current=model.folder == current)
        for source, place in _places(path)
        for model in _models_in(place, source)
    ]


def current_model(path: str | Path | None = None) -> FoundModel:
    """Return the model that `Surrogate.load` loads.

    Raises
    ------
    ModelNotFound
        If there is no model, or none in the folder given by the argument or ``NANOCONF_MODELS``.
    """
    places = _places(path)
    if path is None and (chosen := _chosen_in_home()):
        return chosen
    for source, place in places:
        found = _models_in(place, source)
        if source != "argument":
            found = [model for model in found if not model.rejected]
        if found:
            return FoundModel(found[0].folder, source, found[0].card, current=True)
        if source in ("argument", "NANOCONF_MODELS"):
            break
    searched = ", ".join(str(place) for _, place in places)
    raise ModelNotFound(f"there is no trained model in {searched}; `nanoconf train` creates one")


def promote(name: str) -> FoundModel:
    """Make a model in the archive folder or in the package the current one.

    Raises
    ------
    ModelNotFound
        If there is no model of that name.
    """
    model = _named(name)
    if model is None:
        known = ", ".join(sorted({found.name for found in models()}))
        raise ModelNotFound(f"there is no model {shown(name)}; known: {known or 'none'}")
    before = _history()
    if current := _current_or_none():
        before = [*before, current.name]
    _remember(name, before)
    return model


def roll_back() -> FoundModel:
    """Undo the last `promote`.

    Raises
    ------
    ModelNotFound
        If there was no previous model, or it no longer exists.
    """
    before = _history()
    model = _named(before[-1]) if before else None
    if model is None:
        raise ModelNotFound("there is no previous model")
    _remember(model.name, before[:-1])
    return model


def _current_or_none() -> FoundModel | None:
    try:
        return current_model()
    except ModelNotFound:
        return None


def _named(name: str) -> FoundModel | None:
    places = [("home", home_models()), ("package", package_models())]
    found = [model for source, place in places for model in _models_in(place, source)]
    return next((model for model in found if model.name == name), None)


def _chosen_in_home() -> FoundModel | None:
    """Return the model that `CURRENT` in the archive folder names.

    ``NANOCONF_MODELS`` takes precedence.
    """
    if os.environ.get("NANOCONF_MODELS") or not (home_models() / CURRENT).is_file():
        return None
    model = _named(read_json(home_models() / CURRENT)["model"])
    return None if model is None else replace(model, current=True)


def _history() -> list[str]:
    file = home_models() / CURRENT
    return read_json(file).get("before", []) if file.is_file() else []


def _remember(name: str, before: list[str]) -> None:
    home_models().mkdir(parents=True, exist_ok=True)
    write_json(home_models() / CURRENT, {"model": name, "before": before})


def home_models() -> Path:
    """Return the folder of retrained models."""
    return default_home() / "models"


def package_models() -> Path:
    """Return the folder of the models in the package, or in a checkout of the repository."""
    package = Path(__file__).resolve().parents[2]
    installed, checkout = package / "models", package.parent / "models"
    return checkout if (package.parent / "pyproject.toml").is_file() else installed


def _places(path: str | Path | None) -> list[tuple[str, Path]]:
    if path is not None:
        return [("argument", user_path("model", path))]
    places = [("home", home_models()), ("package", package_models())]
    if chosen := os.environ.get("NANOCONF_MODELS"):
        places.insert(0, ("NANOCONF_MODELS", user_path("NANOCONF_MODELS", chosen)))
    return places


def _models_in(place: Path, source: str) -> list[FoundModel]:
    """Return the models in a folder (one or several); the current one first, then the newest."""
    if (place / CARD).is_file():
        return _read([place], source)
    if not place.is_dir():
        return []
    folders = [card.parent for card in place.glob(f"*/{CARD}")]
    found = _read([folder for folder in folders if not folder.name.startswith(".")], source)
    found.sort(key=lambda model: model.card.created, reverse=True)
    chosen = read_json(place / CURRENT)["model"] if (place / CURRENT).is_file() else None
    return sorted(found, key=lambda model: model.folder.name != chosen)


def _read(folders: Sequence[Path], source: str) -> list[FoundModel]:
    """Read the models in folders; issue a warning for each model that cannot be read."""
    found = []
    for folder in folders:
        try:
            found.append(FoundModel(folder, source, Card.load(folder)))
        except (OSError, ValueError) as problem:
            warnings.warn(f"{folder} holds no usable model: {problem}", stacklevel=2)
    return found
