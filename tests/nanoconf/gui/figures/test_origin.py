"""Names of the files of figures, and their description."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from backend.inputs import SYSTEM
from backend.system import SlitSystem
from nanoconf.gui.figures.origin import MD, ML, PB, Origin, Source, Varied, system_parts

DEFAULT = SlitSystem()
RUN = "3c8277b7d0524c5a9f6d2f4be2f4f3ab"


def stem(title: str, *sources: Source, varied: Varied | None = None) -> str:
    return Origin(tuple(sources), varied).stem(title)


def test_a_figure_is_named_after_its_inputs_its_run_and_its_quantity():
    run, model, theory = (
        Source(MD, RUN, DEFAULT),
        Source(ML, "model-3", DEFAULT),
        Source(PB, "", DEFAULT),
    )
    assert stem("Positive Ion Density", run, model) == "h3.0_1-1_0.5M_3c8277b7_positive"
    assert stem("Prediction Graph", model, theory) == "h3.0_1-1_0.5M_model-3_prediction"
    assert stem("Charge Density", theory) == "h3.0_1-1_0.5M_theory_charge-density"
    assert stem("Trends") == "trends"


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({}, ["h3.0", "1-1", "0.5M"]),
        ({"confinement_length": 3.17, "salt_concentration": 1.0}, ["h3.17", "1-1", "1.0M"]),
        ({"positive_valency": 3, "negative_valency": -2}, ["h3.0", "3-2", "0.5M"]),
        ({"positive_diameter": 0.6, "negative_diameter": 0.6}, ["h3.0", "1-1", "0.5M", "d0.6"]),
        ({"negative_diameter": 0.5}, ["h3.0", "1-1", "0.5M", "dneg0.5"]),
        ({"surface_charge_density": -0.01}, ["h3.0", "1-1", "0.5M", "sigma-0.01"]),
        (
            {"wall": "plane", "temperature": 310.0, "relative_permittivity": 60.0},
            ["h3.0", "1-1", "0.5M", "plane-wall", "310K", "eps60"],
        ),
    ],
)
def test_inputs_that_differ_from_the_default_are_part_of_the_name(changes, parts):
    assert system_parts(replace(DEFAULT, **changes)) == parts


def test_names_are_unique_and_safe_in_every_file_system():
    changes = [
        {},
        *({name: 1.1 * SYSTEM[name].default} for name in ("confinement_length", "temperature")),
        {"salt_concentration": 0.001, "confinement_length": 10.0},
        {"surface_charge_density": -0.013},
        {"negative_diameter": 0.3},
        {"wall": "plane"},
        {"negative_ions": 424},
    ]
    systems = [replace(DEFAULT, **each) for each in changes]
    names = [stem("Integrated Charge", Source(MD, RUN, system)) for system in systems]
    assert len(set(names)) == len(names)
    names.append(stem("Prediction Graph", Source(ML, "my model/3 (β)", DEFAULT)))
    assert all(re.fullmatch(r"[A-Za-z0-9.+_-]+", name) for name in names)


def test_a_varied_input_is_part_of_the_name_as_a_range():
    model, run = Source(ML, "model-3", DEFAULT), Source(MD, RUN, DEFAULT)
    varied = Varied("salt_concentration", 0.3, 0.9)
    assert stem("Trends", model, run, varied=varied) == "h3.0_1-1_0.3to0.9M_model-3_trends"
    varied = Varied("positive_diameter", 0.5, 0.75)
    assert stem("Trends", model, varied=varied) == "h3.0_1-1_0.5M_d0.5to0.75_model-3_trends"


def test_a_comparison_lists_its_runs():
    others = [replace(DEFAULT, salt_concentration=0.1 * i) for i in range(1, 5)]
    runs = [Source(MD, f"{i}{RUN}", system) for i, system in enumerate(others)]
    assert stem("Runs", *runs[:2]) == "03c8277b-13c8277b_runs"
    assert stem("Runs", *runs) == "03c8277b-13c8277b-23c8277b-and-1-more_runs"


def test_the_description_gives_inputs_and_sources():
    sources = Source(MD, RUN, DEFAULT), Source(ML, "model-3", DEFAULT)
    inputs, simulated, predicted = Origin(sources).lines()
    assert inputs.startswith("Inputs: h 3 nm, 1:−1, 0.5 M, d 0.714 nm, wall model: ion")
    assert simulated == f"Source: MD simulation, run {RUN}"
    assert predicted == "Source: ML prediction, model-3"
    other = Source(ML, "model-3", replace(DEFAULT, salt_concentration=0.6))
    lines = Origin((sources[0], other)).lines()
    assert "0.5 M" in lines[0] and "0.6 M" in lines[1]
