"""Search for trained models, and choice of the current one."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from backend.environment import user_path
from backend.inputs import LONGEST_MESSAGE, InvalidInput, shortened, shown
from backend.runs.archive import default_home
from nanoconf.shipped import shipped
from nanoconf.surrogate.card import CARD, KIND, Card
from nanoconf.surrogate.lifecycle.choice import Choice
from nanoconf.surrogate.runtime import FILES, Network, load_network, verified


class ModelNotFound(FileNotFoundError):
    """Raised if no usable model is found."""


class ModelWarning(UserWarning):
    """Warning about a model, or a file, that is passed over because it is damaged."""


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

    @property
    def damage(self) -> str:
        """Reasons why the model, or one of its files, cannot be used; empty if there are none."""
        reasons = []
        for check in (self.load, self._verify_keras):
            try:
                check()
            except ValueError as problem:
                reasons.append(str(problem))
        return "; ".join(unique(reasons))

    def load(self, runtime: str = "litert") -> Network:
        """Load the network.

        Raises
        ------
        ValueError
            If the kind is unknown, or the file of the network is missing or damaged.
        """
        self._check_kind()
        return load_network(self.folder, runtime, self.card.sha256)

    def _verify_keras(self) -> None:
        """Verify the ``.keras`` file without importing TensorFlow."""
        self._check_kind()
        verified(self.folder, FILES["tensorflow"], self.card.sha256)

    def _check_kind(self) -> None:
        if self.card.kind != KIND:
            raise ValueError(f"the model is of unknown kind {self.card.kind!r}; known: {KIND!r}")


@dataclass(frozen=True)
class LoadedModel:
    """Best usable model.

    Attributes
    ----------
    model : FoundModel
        The model on disk.
    network : Network
        Its network.
    problems : list of str
        Lines that name the damaged models and files found by the search.
    """

    model: FoundModel
    network: Network
    problems: list[str]


# --- search ---------------------------------------------------------------------------------


def models(path: str | Path | None = None) -> list[FoundModel]:
    """Return all models with a readable card, in the order of the search.

    A `ModelWarning` names each damaged model or file.

    Parameters
    ----------
    path : path, optional
        Folder to search instead of the default ones.
    """
    problems: list[str] = []
    current = None
    with suppress(ModelNotFound):
        loaded = load_current(path)
        current, problems = loaded.model.folder, loaded.problems
    found = [
        replace(model, current=model.folder == current)
        for source, place in _places(path)
        for model in _models_in(place, source, problems)
    ]
    for model in found:
        if damage := model.damage:
            line = _unusable(model.folder, damage)
            problems = [each for each in problems if not line.startswith(each)] + [line]
    warn_of(problems)
    return found


def load_current(path: str | Path | None = None, runtime: str = "litert") -> LoadedModel:
    """Load the best usable model: the chosen one, else a previous one, else the newest.

    Parameters
    ----------
    path, runtime
        As in `Surrogate.load`.

    Raises
    ------
    ModelNotFound
        If there is no usable model, or none in the folder given by the argument or
        ``NANOCONF_MODELS``.
    """
    problems: list[str] = []
    for model in _candidates(path, problems):
        try:
            network = model.load(runtime)
        except ValueError as problem:
            problems.append(_unusable(model.folder, problem))
        else:
            return LoadedModel(replace(model, current=True), network, unique(problems))
    searched = ", ".join(shown(str(place)) for _, place in _searched(path))
    line = f"there is no trained model in {searched}{_reasons(problems)}"
    raise ModelNotFound(f"{line}; `nanoconf train` creates one")


def _candidates(path: str | Path | None, problems: list[str]) -> Iterator[FoundModel]:
    """Yield the models in order of preference; rejected ones only if they were chosen."""
    places = _searched(path)
    found = [m for source, place in places for m in _models_in(place, source, problems)]
    choice = Choice.load_or_note(places[0][1], problems)
    if choice.model and not any(_is_called(model, choice.model) for model in found):
        problems.append(f"the chosen model, {choice.model[:80]!r}, is missing or damaged")
    ranked = {
        model.folder: model for name in choice.names for model in found if _is_called(model, name)
    }
    for model in found:
        if model.source == "argument" or not model.rejected:
            ranked.setdefault(model.folder, model)
    yield from ranked.values()


def warn_of(problems: Iterable[str]) -> None:
    """Issue a `ModelWarning` for each problem."""
    for problem in unique(problems):
        warnings.warn(problem, ModelWarning, stacklevel=3)


def unique(lines: Iterable[str]) -> list[str]:
    """Return the lines without repetitions."""
    return list(dict.fromkeys(lines))


# --- choice ---------------------------------------------------------------------------------


def promote(name: str) -> FoundModel:
    """Make a model in the archive folder or in the package the current one.

    Raises
    ------
    ModelNotFound
        If there is no usable model of that name.
    """
    problems: list[str] = []
    model = _usable(name, problems)
    if model is None:
        known = ", ".join(sorted({found.name for found in _at_home(problems)}))
        line = f"there is no model {shown(name)}; known: {known or 'none'}{_reasons(problems)}"
        raise ModelNotFound(line)
    before = Choice.load_or_note(home_models(), problems).before
    with suppress(ModelNotFound):  # no model was in use
        before = (*before, load_current().model.name)
    Choice(model.name, before).save(home_models())
    return model


def roll_back() -> FoundModel:
    """Undo the last `promote`. A previous model that is damaged is skipped.

    Raises
    ------
    ModelNotFound
        If there was no previous model, or none is usable.
    """
    problems: list[str] = []
    before = Choice.load_or_note(home_models(), problems).before
    for index in reversed(range(len(before))):
        if model := _usable(before[index], problems):
            warn_of(problems)
            Choice(model.name, before[:index]).save(home_models())
            return model
    raise ModelNotFound(f"there is no previous model{_reasons(problems)}")


def _reasons(problems: list[str]) -> str:
    return "".join(f"; {shortened(line, LONGEST_MESSAGE)}" for line in unique(problems))


def _usable(name: str, problems: list[str]) -> FoundModel | None:
    """Return the model of that name; None, with a problem, if it is missing or damaged."""
    model = next((each for each in _at_home(problems) if each.name == name), None)
    if model is None:
        return None
    try:
        model.load()
    except ValueError as problem:
        problems.append(_unusable(model.folder, problem))
        return None
    return model


def _at_home(problems: list[str]) -> list[FoundModel]:
    """Return the models in the archive folder and in the package."""
    places = _default_places()
    return [m for source, place in places for m in _models_in(place, source, problems)]


# --- folders --------------------------------------------------------------------------------


def home_models() -> Path:
    """Return the folder of retrained models."""
    return default_home() / "models"


def package_models() -> Path:
    """Return the folder of the models in the package, or in a checkout of the repository."""
    return shipped("models")


def model_folders(place: Path) -> list[Path]:
    """Return the folders with a card or a network: the folder itself, or those in it."""
    files = (CARD, *FILES.values())
    if any((place / file).exists() for file in files):
        return [place]
    if not place.is_dir():
        return []
    return [
        folder
        for folder in sorted(place.iterdir())
        if not folder.name.startswith(".") and any((folder / file).exists() for file in files)
    ]


def _places(path: str | Path | None) -> list[tuple[str, Path]]:
    """Return the source and the path of the folders to list."""
    if path is not None:
        return [("argument", user_path("model", path))]
    places = _default_places()
    if chosen := os.environ.get("NANOCONF_MODELS"):
        places.insert(0, ("NANOCONF_MODELS", user_path("NANOCONF_MODELS", chosen)))
    return places


def _default_places() -> list[tuple[str, Path]]:
    """Return the models of the archive, if the user has a home folder, and of the package."""
    package = ("package", package_models())
    try:
        return [("home", home_models()), package]
    except InvalidInput:
        if "NANOCONF_HOME" in os.environ:
            raise
        return [package]


def _searched(path: str | Path | None) -> list[tuple[str, Path]]:
    """Return the folders to load a model from: only the given one, if there is one."""
    places = _places(path)
    return places[:1] if places[0][0] in ("argument", "NANOCONF_MODELS") else places


def _models_in(place: Path, source: str, problems: list[str]) -> list[FoundModel]:
    """Return the models in a folder (one or several); the current one first, then the newest."""
    found = []
    try:
        folders = model_folders(place)
    except OSError as error:
        problems.append(f"{place} cannot be read ({error.strerror})")
        return []
    for folder in folders:
        try:
            found.append(FoundModel(folder, source, Card.load(folder)))
        except ValueError as problem:
            problems.append(_unusable(folder, problem))
        except OSError as error:
            problems.append(_unusable(folder, f"{CARD} cannot be read ({error.strerror})"))
    found.sort(key=lambda model: model.card.created, reverse=True)
    choice = Choice.load_or_note(place, problems)
    return sorted(found, key=lambda model: model.folder.name != choice.model)


def _is_called(model: FoundModel, name: str) -> bool:
    return name in (model.name, model.folder.name)


def _unusable(folder: Path, problem: object) -> str:
    return f"{shown(str(folder))} holds no usable model: {problem}"
