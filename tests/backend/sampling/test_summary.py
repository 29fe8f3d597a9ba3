"""Summary of a run, written to disk and read back."""

import json
from pathlib import Path

import pytest

from backend.files import read_json
from backend.sampling.summary import Summary

HOME = Path(__file__).parents[2] / "fixtures" / "home"
RESULTS = sorted(HOME.glob("runs/*/result.json"))


def of(folder: str) -> dict:
    return read_json(HOME / "runs" / folder / "result.json")["summary"]


NUMBA, LAMMPS = of("95f8e515017002944a49a971d0257696"), of("53205c7fc9bd31cea664e726f6a798d1")


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.parent.name[:8])
def test_a_summary_is_written_as_it_was_read(file):
    values = read_json(file)["summary"]
    assert json.dumps(Summary.from_dict(values).to_dict()) == json.dumps(values)


def test_a_summary_is_read_into_typed_sections():
    summary = Summary.from_dict(NUMBA)
    assert summary.simulated_ns == 1.9743025185652094
    assert summary.converged and summary.convergence is not None and summary.checks is not None
    assert summary.convergence.times_longer == 1.0
    assert summary.checks.estimators is not None
    assert summary.checks.estimators.probability == 0.30446471235176353
    assert summary.checks.own == {"pair_force_error": 0.002449533544218403}
    assert summary.timings is not None and summary.timings.steps == 118000
    assert summary["checks"] == NUMBA["checks"]
    other = Summary.from_dict(LAMMPS)
    assert other.checks is not None and other.checks.own == {} and not other.converged


def test_a_summary_from_an_earlier_version_lacks_what_was_not_recorded():
    values = {name: value for name, value in NUMBA.items() if name != "simulated_ns"}
    values["checks"] = {k: v for k, v in NUMBA["checks"].items() if k != "estimators"}
    summary = Summary.from_dict(values)
    assert summary.simulated_ns is None
    assert summary.checks is not None and summary.checks.estimators is None
    assert summary.to_dict() == values
    assert Summary.from_dict({}).to_dict() == {} and not Summary().converged


def test_keys_from_a_later_version_are_kept():
    values = NUMBA | {"diffusion": {"positive": 0.1}}
    assert Summary.from_dict(values).to_dict() == values


def test_a_rate_that_is_not_known_is_written_as_null():
    values = NUMBA | {"timings": {"seconds": 1.0, "steps": 0, "steps_per_second": None}}
    assert Summary.from_dict(values).to_dict() == values


@pytest.mark.parametrize("damaged", [[], {"timings": {}}, {"checks": 3}, {"convergence": None}])
def test_a_damaged_summary_is_refused(damaged):
    with pytest.raises(ValueError, match="damaged"):
        Summary.from_dict(damaged)
