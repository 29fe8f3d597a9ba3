"""The domain of a surrogate: systems that it predicts, extrapolates or refuses."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import asdict

import numpy as np
import pytest

from backend.system import InvalidInput, SlitSystem
from nanoconf.surrogate import ExtrapolationWarning
from nanoconf.surrogate.domain import INPUTS, Domain, network_inputs
from nanoconf.surrogate.simulations import system_key


def test_the_domain_is_the_training_range(model):
    ranges = {name: (allowed.low, allowed.high) for name, allowed in model.domain.ranges.items()}
    assert ranges == {
        "confinement_length": (3.0, 4.0),
        "positive_valency": (1, 3),
        "negative_valency": (-1, -1),
        "salt_concentration": (0.3, 0.9),
        "positive_diameter": (0.5, 0.75),
    }


@pytest.mark.parametrize(
    "inside",
    [
        {},
        {"confinement_length": 4.0, "salt_concentration": 0.9, "positive_diameter": 0.75},
        {"confinement_length": 3.0, "salt_concentration": 3 * 0.1, "positive_diameter": 0.5},
        {"salt_concentration": 9 * 0.1 + 1e-16},
    ],
)
def test_the_bounds_belong_to_the_domain(model, inside):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.predict(SlitSystem(**inside)).positive.peak_density > 0


NUMBERS_OUTSIDE = {
    "confinement_length": (4.5, "between 3 and 4 nm"),
    "salt_concentration": (0.2, "between 0.3 and 0.9 M"),
    "positive_diameter": (0.8, "between 0.5 and 0.75 nm"),
}


NEVER_VARIED = {
    "negative_valency": (-2, "must be -1 e"),
    "negative_diameter": (0.6, "must equal positive_diameter, 0.714 nm"),
    "wall": ("plane", "must be ion"),
    "surface_charge_density": (-0.01, "must be 0 C/m²"),
    "temperature": (310.0, "must be 298 K"),
    "relative_permittivity": (40.0, "must be 78.5"),
}


@pytest.mark.parametrize("name", [*NUMBERS_OUTSIDE, *NEVER_VARIED])
def test_a_system_outside_the_domain_is_refused_with_the_name_of_the_input(model, name):
    value, message = (NUMBERS_OUTSIDE | NEVER_VARIED)[name]
    with pytest.raises(InvalidInput) as refusal:
        model.predict(SlitSystem(**{name: value}))
    assert refusal.value.parameter == name
    assert refusal.value.value == value
    assert message in refusal.value.allowed
    assert re.search("the training range of|trained for", refusal.value.allowed)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", NUMBERS_OUTSIDE)
def test_a_number_outside_its_range_can_be_extrapolated_with_a_warning(model, name):
    system = SlitSystem(**{name: NUMBERS_OUTSIDE[name][0]})
    with pytest.warns(ExtrapolationWarning, match=name):
        prediction = model.predict(system, extrapolate=True)
    assert np.isfinite(prediction.positive.density).all()


@pytest.mark.parametrize("name", NEVER_VARIED)
def test_inputs_that_do_not_vary_in_the_training_set_cannot_be_extrapolated(model, name):
    with pytest.raises(InvalidInput, match=name):
        model.predict(SlitSystem(**{name: NEVER_VARIED[name][0]}), extrapolate=True)


def test_the_domain_is_read_back_as_written(data):
    domain = Domain.of(data.systems)
    assert Domain.from_dict(json.loads(json.dumps(asdict(domain)))) == domain


def test_the_key_of_a_system_is_its_five_inputs():
    assert system_key(SlitSystem(3.2, 1, -1, 0.6, 0.65)) == "3.2 1 -1 0.6 0.65"
    assert network_inputs([SlitSystem()]).shape == (1, len(INPUTS))
