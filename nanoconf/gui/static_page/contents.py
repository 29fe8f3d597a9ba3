"""Data of the static page as JSON values: the network, the inputs, presets and constants."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from backend.inputs import SYSTEM, InvalidInput
from backend.profiles.bins import BINS
from backend.profiles.density import ACCESSIBLE, CSV_HEADER
from backend.system import MAXIMUM_PACKING, MOLAR, SlitSystem
from backend.walls import POINTS_PER_BIN
from nanoconf.gui import words
from nanoconf.gui.fields import FIELDS, LONGEST_ECHO, Field
from nanoconf.gui.figures.limits import FILLED, HEADROOM, LADDER
from nanoconf.gui.presets import presets
from nanoconf.gui.widgets.number import trained_words
from nanoconf.surrogate import Surrogate
from nanoconf.surrogate.band import HALF_WIDTH
from nanoconf.surrogate.domain import INPUTS, TOLERANCE, Domain
from nanoconf.surrogate.model import FILES as PREDICTED
from nanoconf.surrogate.runtime import FILES, load_network, verified
from nanoconf.surrogate.shape import REACH, SMALLEST_FACTOR, TERMS
from nanoconf.surrogate.steps import Step, check_steps, steps_of

Json = dict[str, Any]


def page_data(surrogate: Surrogate) -> Json:
    """Return the data of the page.

    Raises
    ------
    InvalidInput
        If the page cannot show the predictions of the model.
    """
    domain = surrogate.domain
    if SlitSystem(**domain.fixed).surface_charge_density != 0:
        allowed = "must be trained for uncharged walls for a page without a server"
        raise InvalidInput("model", surrogate.name, allowed)
    return {
        "name": surrogate.name,
        "inputs": [SYSTEM[name].link_key for name in INPUTS],
        "terms": TERMS,
        "steps": [_step(each) for each in checked_steps(surrogate)],
        "band": surrogate.card.band,
        "files": {species: names[0] for species, names in PREDICTED.items()},
        "header": ",".join(CSV_HEADER),
        "domain": [_trained(name, domain) for name in INPUTS],
        "constants": _constants(domain),
        "fields": [_field(FIELDS[name], domain) for name in INPUTS],
        "presets": _presets(domain),
    }


def checked_steps(surrogate: Surrogate) -> list[Step]:
    """Return the steps of the network after comparing them with LiteRT in its domain."""
    file = FILES["litert"]
    steps = steps_of(verified(surrogate.folder, file, surrogate.card.sha256))
    network = load_network(surrogate.folder, "litert", surrogate.card.sha256)
    check_steps(steps, network, corners(surrogate.domain))
    return steps


def corners(domain: Domain) -> np.ndarray:
    """Return the inputs at the corners of a domain and in its middle, shape (systems, 5)."""
    ends = [(trained.low, trained.high) for trained in (domain.ranges[name] for name in INPUTS)]
    return np.array([*product(*ends), np.mean(ends, axis=1)])


def _step(step: Step) -> Json:
    data = b64encode(step.values.astype("<f4").tobytes()).decode("ascii")
    return {"kind": step.kind, "shape": list(step.values.shape), "data": data}


def _trained(name: str, domain: Domain) -> Json:
    trained = domain.ranges[name]
    clause = words.needed(name, domain)
    key = SYSTEM[name].link_key
    return {"key": key, "low": trained.low, "high": trained.high, "clause": clause}


def _constants(domain: Domain) -> Json:
    return {
        "bins": BINS,
        "wall": SlitSystem(**domain.fixed).wall,
        "molar": MOLAR,
        "reach": REACH,
        "smallestFactor": SMALLEST_FACTOR,
        "tolerance": TOLERANCE,
        "halfWidth": HALF_WIDTH,
        "maximumPacking": MAXIMUM_PACKING,
        "pointsPerBin": POINTS_PER_BIN,
        "accessible": ACCESSIBLE,
        "longestEcho": LONGEST_ECHO,
        "ladder": LADDER,
        "headroom": HEADROOM,
        "filled": FILLED,
    }


def _field(field: Field, domain: Domain) -> Json:
    trained = domain.ranges[field.name]
    ends = [field.position(each) for each in (trained.low, trained.high)]
    return {
        "key": field.link_key,
        "label": field.label,
        "title": field.title,
        "unit": "" if field.whole else field.unit,
        "whole": field.whole,
        "low": field.low,
        "high": field.high,
        "default": field.default,
        "decimals": field.decimals,
        "positions": field.positions,
        "ends": field.ends,
        "allowed": field.allowed,
        "trained": ends,
        "trainedText": trained_words(field, trained.low, trained.high),
    }


def _presets(domain: Domain) -> Sequence[Json]:
    """Return the presets that the surrogate can predict."""
    return [
        {"name": each.name, "inputs": {_key(name): getattr(each.system, name) for name in INPUTS}}
        for each in presets()
        if not domain.problems(each.system)
    ]


def _key(name: str) -> str:
    return SYSTEM[name].link_key
