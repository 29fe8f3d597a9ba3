"""The network as a list of steps."""

from __future__ import annotations

import numpy as np
import pytest

from nanoconf.surrogate.domain import network_inputs
from nanoconf.surrogate.lifecycle.registry import package_models
from nanoconf.surrogate.runtime import FILES, load_network
from nanoconf.surrogate.steps import Step, check_steps, steps_of
from tests.support.synthetic import random_systems

SHIPPED = package_models() / "model-3"
INPUTS = network_inputs(random_systems(20))


@pytest.fixture(scope="module")
def content():
    return (SHIPPED / FILES["litert"]).read_bytes()


@pytest.fixture(scope="module")
def network():
    return load_network(SHIPPED, "litert", {})


def test_the_steps_reproduce_the_network(content, network):
    steps = steps_of(content)
    assert [step.kind for step in steps].count("silu") == 2
    check_steps(steps, network, INPUTS)


@pytest.mark.parametrize("place", range(12))
def test_a_step_that_differs_is_reported(content, network, place):
    steps = steps_of(content)
    assert len(steps) == 12
    changed = steps[place]
    if changed.kind == "silu":
        del steps[place]
    else:
        steps[place] = Step(changed.kind, changed.values * np.float32(1.001))
    with pytest.raises(ValueError, match="do not reproduce the network"):
        check_steps(steps, network, INPUTS)


def test_an_unknown_operation_is_refused(content, monkeypatch):
    monkeypatch.setattr("nanoconf.surrogate.steps.LAYOUT", ("SHAPE",))
    with pytest.raises(ValueError, match="unknown operation, STRIDED_SLICE"):
        steps_of(content)


def test_other_uses_of_the_logistic_function_are_refused(content, monkeypatch):
    monkeypatch.setattr("nanoconf.surrogate.steps.SILU", ("LOGISTIC", "ADD"))
    with pytest.raises(ValueError, match="unknown operation, LOGISTIC"):
        steps_of(content)
