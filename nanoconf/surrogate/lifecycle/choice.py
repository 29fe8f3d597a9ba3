"""Choice of the current model: ``current.json`` in a folder of models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from backend.files import read_json, write_json

CURRENT = "current.json"
"""File in a folder of models whose ``{"model": NAME}`` names the current one. Without it, the
newest model that was not rejected is current. The file in the archive folder may name a model of
the package, and lists the previous ones under ``"before"``."""


@dataclass(frozen=True)
class Choice:
    """Chosen model of a folder of models.

    Attributes
    ----------
    model : str
        Name of the current model; empty if none was chosen.
    before : tuple of str
        Names of the previous models, the oldest first.
    """

    model: str = ""
    before: tuple[str, ...] = ()

    @classmethod
    def load(cls, place: Path) -> Self:
        """Read the choice from a folder of models; it is empty if there is no file.

        Raises
        ------
        ValueError
            If the file is damaged. The message names it, on one line.
        """
        file = place / CURRENT
        try:
            return cls._read(read_json(file))
        except (FileNotFoundError, NotADirectoryError):
            return cls()
        except OSError as error:
            reason = f"cannot be read ({error.strerror})"
        except (ValueError, RecursionError) as error:
            reason = f"is damaged ({error})"
        raise ValueError(f"{file} {reason}; `nanoconf models promote` writes it again")

    @classmethod
    def _read(cls, values: Any) -> Self:
        if not isinstance(values, dict) or not isinstance(values.get("model"), str):
            raise ValueError("it does not name a model")
        before = values.get("before", [])
        if not isinstance(before, list) or not all(isinstance(name, str) for name in before):
            raise ValueError("'before' is not a list of names")
        return cls(values["model"], tuple(before))

    @classmethod
    def load_or_note(cls, place: Path, problems: list[str]) -> Self:
        """Read the choice; if the file is damaged, add the problem to a list."""
        try:
            return cls.load(place)
        except ValueError as problem:
            problems.append(str(problem))
            return cls()

    def save(self, place: Path) -> None:
        """Write ``current.json``."""
        place.mkdir(parents=True, exist_ok=True)
        write_json(place / CURRENT, {"model": self.model, "before": list(self.before)})

    @property
    def names(self) -> Sequence[str]:
        """Names of the chosen models, the current one first, then the previous ones."""
        return [name for name in (self.model, *reversed(self.before)) if name]
