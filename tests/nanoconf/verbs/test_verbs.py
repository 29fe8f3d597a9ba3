"""Verbs as a program on this computer calls them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from backend.runs.archive import Archive, UnknownRun
from backend.settings import LONGEST_NS
from backend.system import InvalidInput, SlitSystem
from nanoconf.surrogate import Surrogate
from nanoconf.verbs import arguments
from nanoconf.verbs.caller import RELOAD_SECONDS, Caller, CurrentModel
from nanoconf.verbs.predict import PREDICT
from nanoconf.verbs.registry import VERBS
from nanoconf.verbs.runs import CANCEL_RUN, GET_RUN, LIST_RUNS, SIMULATE
from nanoconf.verbs.values import finite
from nanoconf.verbs.verb import Answer, Verb
from tests.support.homes import LONG, QUICK, simulated, submit


@pytest.fixture
def caller(home) -> Caller:
    return Caller(Archive(home))


def call(caller: Caller, verb: Verb, **given) -> Answer:
    answer = verb.execute(caller, arguments.parse(verb.arguments, given.items()))
    json.dumps(answer.values, allow_nan=False)
    return answer


def test_a_prediction_is_that_of_the_surrogate(caller):
    answer = call(caller, PREDICT, h=3.4, zp="2")
    system = SlitSystem(confinement_length=3.4, positive_valency=2)
    expected = Surrogate.load().predict(system)
    profiles = answer.values["profiles"]
    assert answer.status == 200 and answer.values["in_training_range"]
    assert answer.values["model"] == expected.model
    np.testing.assert_allclose(profiles["z_nm"], expected.positive.z, rtol=1e-7)
    for species, profile in expected.profiles.by_species().items():
        np.testing.assert_allclose(profiles[species]["density_M"], profile.density, rtol=1e-7)
        np.testing.assert_allclose(profiles[species]["error_M"], profile.error, rtol=1e-7)
        densities = answer.values["densities_M"][species]
        assert densities["contact"] == pytest.approx(profile.contact_density(system, species))
        assert densities["peak"] == pytest.approx(profile.peak_density)
        assert densities["mid"] == pytest.approx(profile.mid_density)
    assert answer.csv == expected.profiles.to_csv()
    assert "profiles" not in call(caller, PREDICT, h=3.4, profiles="false").values


def test_a_system_outside_the_training_range_gets_the_reasons_and_the_range(caller):
    answer = call(caller, PREDICT, h=8, c=1.2)
    assert answer.status == 422 and not answer.values["in_training_range"] and not answer.csv
    names = [reason.split(" = ")[0] for reason in answer.values["reasons"]]
    assert names == ["confinement_length", "salt_concentration"]
    width = answer.values["training_range"]["confinement_length"]
    assert width == {"low": 3.0, "high": 4.0, "unit": "nm"}
    assert "simulate" in answer.values["error"]


def test_inputs_that_do_not_fit_together_are_refused(caller):
    with pytest.raises(InvalidInput, match="must be at least"):
        call(caller, PREDICT, h=1, d=2)


def test_the_model_is_loaded_again_after_a_while(monkeypatch):
    now, loads = [0.0], []
    monkeypatch.setattr(Surrogate, "load", lambda: loads.append(now[0]) or "model")
    model = CurrentModel(clock=lambda: now[0])
    for now[0] in (1.0, RELOAD_SECONDS, RELOAD_SECONDS + 2, RELOAD_SECONDS + 3):
        assert model.load() == "model"
    assert loads == [1.0, RELOAD_SECONDS + 2]


def test_a_finished_run_has_profiles_and_the_summary(caller, home):
    run = simulated(home, QUICK)
    answer = call(caller, GET_RUN, id=run.id[:8])
    assert answer.status == 200 and answer.values["state"] == "done"
    assert answer.values["fraction"] == 1.0 and answer.values["folder"] == str(run.folder)
    result = run.result()
    assert answer.values["result"] == finite(result.summary.to_dict())
    density = answer.values["profiles"]["positive"]["density_M"]
    np.testing.assert_allclose(density, result.positive.density, rtol=1e-7)
    assert answer.csv == result.profiles.to_csv()
    (listed,) = call(caller, LIST_RUNS, state="done").values["runs"]
    assert listed["id"] == run.id and "profiles" not in listed
    assert call(caller, LIST_RUNS, state="failed").values == {"runs": []}
    assert call(caller, CANCEL_RUN, id=run.id).values["state"] == "done", "it stays as it is"


def test_the_newest_runs_are_listed_first(caller, home):
    runs = [submit(home, LONG, reuse=False) for _ in range(3)]
    found = call(caller, LIST_RUNS, limit=2).values["runs"]
    assert [each["id"] for each in found] == [runs[2].id, runs[1].id]
    cancelled = call(caller, CANCEL_RUN, id=runs[0].id)
    assert cancelled.values["state"] == "cancelled" and cancelled.status == 200
    with pytest.raises(UnknownRun):
        call(caller, GET_RUN, id="0" * 32)


def test_a_run_is_queued_through_the_keeper_and_an_identical_one_is_joined(
    caller, home, monkeypatch
):
    kept = []
    monkeypatch.setattr(
        "backend.keeper.election.ensure_keeper", lambda folder, **_: kept.append(folder)
    )
    answer = call(caller, SIMULATE, h=3.1, error=1, name="mine", seed=7)
    assert answer.status == 202 and answer.values["state"] == "queued" and kept == [home]
    assert answer.values["status"] == "next in line"
    settings = answer.run.settings
    assert (settings.duration_ns, settings.target_error, settings.seed) == (LONGEST_NS, 0.01, 7)
    assert answer.run.name == "mine" and answer.run.owner == ""
    assert call(caller, SIMULATE, h=3.1, target_error=0.01, seed=7).run.id == answer.run.id
    with pytest.raises(InvalidInput, match="coulomb_split"):
        call(caller, SIMULATE, coulomb_split=2)
    assert len(caller.archive.runs()) == 1


def test_verbs_differ_in_name_and_address():
    assert len({verb.name for verb in VERBS}) == len(VERBS)
    assert len({(verb.method, verb.path) for verb in VERBS}) == len(VERBS)
    assert all(verb.changes == (verb.method != "GET") for verb in VERBS)
