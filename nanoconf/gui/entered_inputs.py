"""User inputs: the typed text of each field, its value, and any problem with it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from traitlets import Bool, Dict, HasTraits, Tuple, Unicode

from backend.engines import registry
from backend.sampling.trajectory import affordable_snapshots
from backend.settings import RunSettings
from backend.system import InvalidInput, SlitSystem
from nanoconf.gui.fields import FIELDS, Refused, system_fields

PERCENT = 0.01

SNAPSHOTS = 60
"""Number of configurations that each run saves for the 3D tab."""


class Inputs(HasTraits):
    """The input fields on the left of the page.

    Attributes
    ----------
    texts : dict of str to str
        The typed text of each field, by name.
    values : dict of str to float or None
        Its value; None if the text is invalid, or if an optional field is empty.
    problems : dict of str to str
        Error message of each invalid field.
    valid : bool
        True if there are no problems.
    engine : str
        Engine that simulates on this computer.
    fixed, hidden : tuple of str
        Names of the inputs that a link fixes or hides. They keep their texts: see `hold`.
    """

    texts = Dict()
    values = Dict()
    problems = Dict()
    valid = Bool(True)
    engine = Unicode(registry.DEFAULT)
    fixed = Tuple()
    hidden = Tuple()

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self._read({name: field.text(field.default) for name, field in FIELDS.items()})

    def type(self, name: str, text: str) -> None:
        """Set the text of a field."""
        if self.texts[name] != text:
            self._read(self._keep_held({**self.texts, name: text}))

    def choose(self, system: SlitSystem) -> None:
        """Set the inputs to those of a system."""
        self._set(texts_of(system))

    def restore(self, texts: Any) -> None:
        """Restore the texts that the browser stored; ignore unknown names and wrong types."""
        stored = texts if isinstance(texts, dict) else {}
        self._set({name: str(text) for name, text in stored.items() if name in FIELDS})

    def _set(self, texts: dict[str, str]) -> None:
        kept = [name for name in self.held if name in texts and self._differs(name, texts[name])]
        self._read(self._keep_held({**self.texts, **texts}))
        if kept:
            self.report_kept(kept)

    # --- inputs that a link fixes or hides --------------------------------------------------

    def hold(self, fixed: tuple[str, ...], hidden: tuple[str, ...]) -> None:
        """Keep the present texts of some inputs, whatever sets the others from now on."""
        with self.hold_trait_notifications():
            self.fixed, self.hidden = fixed, hidden

    @property
    def held(self) -> tuple[str, ...]:
        """Names of the inputs that keep their texts."""
        return tuple(name for name in FIELDS if name in self.fixed or name in self.hidden)

    def replace_all(self, texts: dict[str, str]) -> None:
        """Set inputs, also those that are held: for the link that holds them."""
        self._read({**self.texts, **texts})

    def report_kept(self, names: list[str]) -> None:
        """Report the held inputs that a preset, a lesson or a run would have changed."""

    def _differs(self, name: str, text: str) -> bool:
        try:
            return FIELDS[name].parse(text) != self.values[name]
        except Refused:
            return True

    # --- reading ----------------------------------------------------------------------------

    def _keep_held(self, texts: dict[str, str]) -> dict[str, str]:
        return {**texts, **{name: self.texts[name] for name in self.held}}

    def _read(self, texts: dict[str, str]) -> None:
        values: dict[str, float | None] = {}
        problems: dict[str, str] = {}
        for name, each in FIELDS.items():
            try:
                values[name] = each.parse(texts[name])
            except Refused as refusal:
                values[name], problems[name] = None, str(refusal)
        if not problems:
            problems = _combination_problems(values)
        with self.hold_trait_notifications():
            self.texts, self.values, self.problems = texts, values, problems
            self.valid = not problems

    @property
    def system(self) -> SlitSystem:
        """The system that the inputs describe; defined only if `valid`."""
        return _system(self.values)

    @property
    def settings(self) -> RunSettings:
        """The settings of its simulation; defined only if `valid`."""
        return _settings(self.values, self.engine)

    @property
    def chosen_system(self) -> SlitSystem | None:
        """The system that the inputs describe; None if they are invalid."""
        return self.system if self.valid else None

    def is_current(self, system: SlitSystem, *, varied: str = "") -> bool:
        """Return True if a system is the one that the inputs describe.

        Results, predictions, theory, trends and files all use this check.

        Parameters
        ----------
        system : SlitSystem
            The system to compare.
        varied : str
            Name of an input that may differ. Equal diameters vary together.
        """
        chosen = self.chosen_system
        return chosen is not None and _without(chosen, varied) == _without(system, varied)


def texts_of(system: SlitSystem) -> dict[str, str]:
    """Return the text of each field for a system; equal diameters leave the second field empty."""
    texts = {each.name: each.text(getattr(system, each.name)) for each in system_fields()}
    if system.negative_diameter == system.positive_diameter:
        texts["negative_diameter"] = ""
    return texts


def _without(system: SlitSystem, varied: str) -> dict[str, Any]:
    """Return all inputs of a system except the varied one."""
    both = varied == "positive_diameter" and system.diameters[0] == system.diameters[1]
    varying = {varied, "negative_diameter"} if both else {varied}
    return {name: value for name, value in system.to_dict().items() if name not in varying}


def _system(values: dict[str, Any]) -> SlitSystem:
    return _system_of(tuple((each.name, values[each.name]) for each in system_fields()))


@lru_cache(maxsize=8)  # every panel calls this at every step of a slider
def _system_of(inputs: tuple[tuple[str, Any], ...]) -> SlitSystem:
    return SlitSystem(**dict(inputs))


def _settings(values: dict[str, Any], engine: str = registry.DEFAULT) -> RunSettings:
    target = values["target_error"]
    settings = RunSettings(
        duration_ns=values["duration_ns"],
        target_error=None if target is None else target * PERCENT,
        engine=engine,
    )
    return replace(settings, snapshots=affordable_snapshots(_system(values), settings, SNAPSHOTS))


def _combination_problems(values: dict[str, Any]) -> dict[str, str]:
    """Return the problems with the combination of individually valid inputs."""
    try:
        _system(values)
        _settings(values)
    except InvalidInput as refusal:
        name = refusal.parameter if refusal.parameter in FIELDS else "confinement_length"
        each = FIELDS[name]
        return {name: f"{each.title} = {each.text(values[name])}: {refusal.allowed}"}
    return {}
