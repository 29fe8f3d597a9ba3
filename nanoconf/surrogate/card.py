"""Card of a model: how it was made, what it was trained for and how accurate it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from backend.dataclass_json import as_json, known
from backend.files import read_json, write_json
from backend.system import canonical_hash
from nanoconf.surrogate import band
from nanoconf.surrogate.domain import INPUTS, Domain
from nanoconf.surrogate.runtime import checksums
from nanoconf.surrogate.type_check import check_types

CARD = "card.json"

KIND = "log-profile-ensemble"
"""Kind of the network; see `nanoconf.surrogate.network` and `nanoconf.surrogate.shape`."""


@dataclass(frozen=True)
class DataSet:
    """Simulations used to train or validate a model.

    Attributes
    ----------
    sha256 : str
        Hash of the file that holds them.
    simulations, systems : int
        Number of simulations, and of different systems among them.
    """

    sha256: str = ""
    simulations: int = 0
    systems: int = 0


@dataclass(frozen=True)
class Data:
    """Data of a model.

    Attributes
    ----------
    training, validation : DataSet
    archive_runs : int or None
        Archive runs in the training set of a retrained model.
    """

    training: DataSet = DataSet()
    validation: DataSet = DataSet()
    archive_runs: int | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read the ``data`` section of a card."""
        training, validation = (
            DataSet(**known(DataSet, values[name])) for name in ("training", "validation")
        )
        return cls(training, validation, values.get("archive_runs"))


@dataclass(frozen=True)
class Systems:
    """Keys of the systems used to train and validate a model.

    Attributes
    ----------
    columns : str
        Inputs in the order of a key.
    training, validation : list of str
    """

    columns: str = ""
    training: list[str] = field(default_factory=list)
    validation: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Promotion:
    """Decision about a retrained model.

    Attributes
    ----------
    promoted : bool
    against : str
        Name of the model that it was compared with; empty before the comparison.
    reason : str
        Reason for the decision, on one line.
    difference : float or None
        Mean relative L2 error on the validation systems minus that of the other model.
    probability_worse : float or None
        Share of bootstrap samples of the systems in which it is worse.
    coverage : float or None
        Share of densities within the 90 % band, by two-fold cross-validation over the systems.
    """

    promoted: bool
    against: str = ""
    reason: str = ""
    difference: float | None = None
    probability_worse: float | None = None
    coverage: float | None = None


@dataclass(frozen=True)
class Spread:
    """Median and worst value of an error over several profiles.

    Attributes
    ----------
    median, worst : float
    worst_system : str
        Key of the system with the worst value, if recorded.
    """

    median: float
    worst: float
    worst_system: str = ""


@dataclass(frozen=True)
class Scores:
    """Errors of predicted profiles, as in `nanoconf.surrogate.evaluation.compared`.

    Attributes
    ----------
    profiles : int
        Number of profiles.
    observed, beyond : Spread
        Relative L2 error, and the same without the statistical error of the simulations.
    noise : float
        Median contribution of the statistical error of the simulations.
    contact, mid, peak : Spread
        Relative error of these densities.
    coverage : dict of str to (float or None)
        Share of bins within the 90 % band by region, and ``all``.
    width : float
        Mean half width of the band relative to the density.
    """

    profiles: int
    observed: Spread
    noise: float
    beyond: Spread
    contact: Spread
    mid: Spread
    peak: Spread
    coverage: dict[str, float | None]
    width: float

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read the scores of one group of systems."""
        spreads = ("observed", "beyond", "contact", "mid", "peak")
        read = {name: Spread(**known(Spread, values[name])) for name in spreads}
        return cls(**(known(cls, values) | read))


@dataclass(frozen=True)
class Metrics:
    """Accuracy of a model, as `nanoconf.surrogate.evaluation.evaluate` measures it.

    Attributes
    ----------
    model : str
        Name of the model.
    data_sha256 : str
        Hash of the data that it was compared with.
    systems : int
        Number of systems.
    typical_error, worst_error : float
        Median and maximum relative L2 error of the profiles.
    positive, negative, both : dict of str to Scores
        By ion species; the keys are ``all`` and the pairs of valencies. Early cards lack `both`.
    """

    model: str
    data_sha256: str
    systems: int
    typical_error: float
    worst_error: float
    positive: dict[str, Scores]
    negative: dict[str, Scores]
    both: dict[str, Scores] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read the return value of `evaluate`."""
        scores = {
            species: {group: Scores.from_dict(found) for group, found in values[species].items()}
            for species in ("positive", "negative", "both")
            if species in values
        }
        return cls(**(known(cls, values) | scores))

    def check_groups(self) -> None:
        """Raise `ValueError` if the scores for all systems together are missing."""
        for species, groups in (("positive", self.positive), ("negative", self.negative)):
            if "all" not in groups or groups["all"].coverage.get("all") is None:
                raise ValueError(f"metrics.{species} lacks the scores for all systems together")


@dataclass(frozen=True)
class Card:
    """Card of a model; the fields are the keys of ``card.json``, in the same order.

    Only name, kind and date are read from a card of another kind than `KIND`.

    Attributes
    ----------
    name, kind, created, version : str
        Name of the model, its `KIND`, its date (UTC, ISO 8601) and the version of nanoconf.
    packages : dict of str to str
        Versions of the packages used to train it.
    inputs : list of str
        Inputs of the network, in order.
    bins : dict of str to int
        Number of bins of the slit, and of predicted bins.
    domain : Domain
        Systems that the model was trained for.
    data : Data
        Datasets used to train and validate it.
    architecture, training : dict
        Size of the network and settings of the training, for information only.
    systems : Systems
        Systems of these datasets.
    promotion : Promotion or None
        For a retrained model, the decision to promote or reject it.
    band : dict
        Table of the error band: see `nanoconf.surrogate.band`.
    metrics : Metrics or None
        Accuracy on the validation set; None before it is measured.
    sha256 : dict of str to str
        SHA-256 checksum of each file of the network; empty in cards of version 0.1.0.
    checksum : str
        SHA-256 checksum of `domain` and `band`, which predictions depend on; empty in the same
        cards.
    other : dict
        Unknown keys of the file, which are kept. Unknown keys inside a section are dropped.
    """

    name: str
    kind: str
    created: str
    version: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    bins: dict[str, int] = field(default_factory=dict)
    domain: Domain = field(default_factory=lambda: Domain({}, {}))
    data: Data = Data()
    architecture: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    systems: Systems = field(default_factory=Systems)
    promotion: Promotion | None = None
    band: dict[str, Any] = field(default_factory=dict)
    metrics: Metrics | None = None
    sha256: dict[str, str] = field(default_factory=dict)
    checksum: str = ""
    other: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the card in the folder of a model.

        Raises
        ------
        OSError
            If the card cannot be read.
        ValueError
            If it is not a card, lacks required keys, or has values of the wrong type.
        """
        try:
            values = read_json(folder / CARD)
        except (ValueError, RecursionError) as problem:
            raise ValueError(f"its card is not valid JSON ({problem})") from problem
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read the values of a card.

        Raises
        ------
        ValueError
            If required keys are missing, or values have the wrong type.
        """
        try:
            card = cls._read(values)
        except (KeyError, TypeError, AttributeError) as problem:
            raise ValueError(f"its card is incomplete ({problem})") from problem
        try:
            card._check()
        except ValueError as problem:
            raise ValueError(f"its card is damaged ({str(problem)[:200]})") from problem
        return card

    @classmethod
    def _read(cls, values: Mapping[str, Any]) -> Self:
        keys = {each.name for each in fields(cls)} - {"other"}
        if values["kind"] != KIND:
            keys = {"name", "kind", "created"}
        read: dict[str, Any] = {
            name: _SECTIONS[name](value) if name in _SECTIONS else value
            for name, value in values.items()
            if name in keys
        }
        other = {name: value for name, value in values.items() if name not in keys}
        return cls(**read, other=other)

    def _check(self) -> None:
        """Check the types, and the sections that predictions depend on."""
        check_types(self)
        if self.kind != KIND:
            return
        if self.inputs not in ([], list(INPUTS)):
            raise ValueError(f"inputs must be {', '.join(INPUTS)}")
        self.domain.check_ranges()
        band.check_table(self.band)
        if self.metrics is not None:
            self.metrics.check_groups()
        if self.checksum and self.checksum != self._digest():
            raise ValueError("domain and band do not match the checksum")

    def with_checksums(self, folder: Path) -> Self:
        """Return the card with its checksum and those of the files of the network in a folder."""
        return replace(self, sha256=checksums(folder), checksum=self._digest())

    def _digest(self) -> str:
        return canonical_hash({"domain": as_json(self.domain), "band": self.band})

    def to_dict(self) -> dict[str, Any]:
        """Return the card as JSON values, without missing keys."""
        values = as_json(self)
        return values | values.pop("other", {})

    def save(self, folder: Path) -> None:
        """Write the card into the folder of the model."""
        write_json(folder / CARD, self.to_dict())


_SECTIONS: dict[str, Callable[[Any], Any]] = {
    "domain": Domain.from_dict,
    "data": Data.from_dict,
    "systems": lambda values: Systems(**known(Systems, values)),
    "promotion": lambda values: Promotion(**known(Promotion, values)),
    "metrics": Metrics.from_dict,
}
