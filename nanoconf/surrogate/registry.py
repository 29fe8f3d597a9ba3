"""Finds trained models."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.archive import default_home
from backend.files import read_json

CARD = "card.json"
CURRENT = "current.json"
"""In a folder of models, ``{"model": NAME}`` says which one is current; else it is the newest."""


class ModelNotFound(FileNotFoundError):
    """There is no trained model where one was looked for."""


@dataclass(frozen=True)
class FoundModel:
    """A trained model on disk.

    Attributes
    ----------
    folder : Path
        Where it lies.
    source : {"argument", "NANOCONF_MODELS", "home", "package"}
        Why it was looked for there.
    card : dict
        What it is.
    current : bool
        Whether it is the one that `Surrogate.load` takes.
    """

    folder: Path
    source: str
    card: dict[str, Any]
    current: bool = False

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.card["name"]


def models(path: str | Path | None = None) -> list[FoundModel]:
    """All models that can be found, the current one first, then in the order of the search.

    Parameters
    ----------
    path : path, optional
        A folder to search instead of the usual ones.
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
    """The model that `Surrogate.load` takes.

    Raises
    ------
    ModelNotFound
        None is found, or none in the folder that the argument or ``NANOCONF_MODELS`` names.
    """
    places = _places(path)
    for source, place in places:
        found = _models_in(place, source)
        if found:
            return FoundModel(found[0].folder, source, found[0].card, current=True)
        if source in ("argument", "NANOCONF_MODELS"):
            break
    looked = ", ".join(str(place) for _, place in places)
    raise ModelNotFound(f"there is no trained model in {looked}; `nanoconf train` makes one")


def package_models() -> Path:
    """The folder of the models that come with the package, or with a checkout of its repository."""
    package = Path(__file__).resolve().parents[1]
    installed, checkout = package / "models", package.parent / "models"
    return checkout if (package.parent / "pyproject.toml").is_file() else installed


def _places(path: str | Path | None) -> list[tuple[str, Path]]:
    if path is not None:
        return [("argument", Path(path).expanduser())]
    places = [("home", default_home() / "models"), ("package", package_models())]
    if chosen := os.environ.get("NANOCONF_MODELS"):
        places.insert(0, ("NANOCONF_MODELS", Path(chosen).expanduser()))
    return places


def _models_in(place: Path, source: str) -> list[FoundModel]:
    """The models in a folder, or the one that it is itself; the current one first, then newest."""
    if (place / CARD).is_file():
        return _read([place], source)
    if not place.is_dir():
        return []
    folders = [card.parent for card in place.glob(f"*/{CARD}")]
    found = _read([folder for folder in folders if not folder.name.startswith(".")], source)
    found.sort(key=lambda model: model.card["created"], reverse=True)
    chosen = read_json(place / CURRENT)["model"] if (place / CURRENT).is_file() else None
    return sorted(found, key=lambda model: model.folder.name != chosen)


def _read(folders: Sequence[Path], source: str) -> list[FoundModel]:
    """The models in folders; one that cannot be read is warned of, and does not hide the others."""
    found = []
    for folder in folders:
        try:
            card = read_json(folder / CARD)
            if not {"name", "created", "kind"} <= set(card):
                raise ValueError("its card is incomplete")
            found.append(FoundModel(folder, source, card))
        except (OSError, ValueError, TypeError) as problem:
            warnings.warn(f"{folder} holds no usable model: {problem}", stacklevel=2)
    return found
