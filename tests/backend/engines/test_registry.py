"""Registry of engines: a toy engine that the tests register runs everywhere."""

import ast
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.cluster import config, package
from backend.cluster.here.jobs import Job
from backend.cluster.resources import resources
from backend.engines import registry
from backend.engines.cuda.simulation import Simulation as CudaSimulation
from backend.engines.run_time import START_UP_SECONDS, estimated_seconds
from backend.profiles.bins import BINS
from backend.profiles.density import SlitProfiles
from backend.runs import local
from backend.runs.archive import Archive
from backend.runs.run_state import RunState
from backend.sampling.result import SimulationError
from backend.settings import RunSettings
from backend.system import InvalidInput, SlitSystem
from backend.walls import binned_boltzmann_factor
from nanoconf.cli.main import parser
from nanoconf.gui.services.clusters import Place
from nanoconf.gui.state import Simulation
from nanoconf.gui.widgets.actions import ActionsPanel
from nanoconf.gui.widgets.computing import ComputingPanel
from tests.support.toy_engine import TOY, register_everywhere

REPOSITORY = Path(__file__).parents[3]
SYSTEM = SlitSystem(positive_valency=2, salt_concentration=0.4)


@pytest.fixture
def toy(monkeypatch):
    """Register the toy engine in this process."""
    monkeypatch.setitem(registry.ENGINES, TOY.name, TOY)
    return RunSettings(engine="toy", duration_ns=0.02, replicas=1, seed=2)


@pytest.fixture
def toy_everywhere(toy, tmp_path, monkeypatch):
    """Register the toy engine in this process and in every Python process that it starts."""
    register_everywhere(tmp_path, monkeypatch)
    return toy


def exact_densities(system):
    """Return the density (M) of ions that interact only with the walls, shape (2, BINS)."""
    factors = np.array(
        [binned_boltzmann_factor(system, species, BINS) for species in ("positive", "negative")]
    )
    negative = system.salt_concentration
    means = np.array([negative * -system.negative_valency / system.positive_valency, negative])
    return factors * (means / factors.mean(axis=1))[:, None]


def assert_ideal(profiles):
    for profile, exact in zip(
        (profiles.positive, profiles.negative), exact_densities(SYSTEM), strict=True
    ):
        counted = exact > 0.05 * exact.max()
        deviation = (profile.density - exact)[counted] / profile.error[counted]
        assert np.max(np.abs(deviation)) < 5
        assert np.mean(np.abs(profile.density[counted] / exact[counted] - 1)) < 0.03


# --- the toy engine -------------------------------------------------------------------------


def test_a_worker_executes_a_run_of_a_registered_engine(toy_everywhere, home):
    run = Archive(home).submit(SYSTEM, toy_everywhere)
    assert local.start(run.folder).wait() == 0, run.log_tail()
    assert run.state == RunState.DONE
    result = run.result()
    assert result.settings.engine == "toy"
    assert_ideal(result.profiles)
    summary = result.summary
    assert summary.versions.keys() == {"nanoconf", "python", "numpy", "toy"}
    assert summary.checks.force_to_count_ratio["negative"] == pytest.approx(1, abs=0.05)
    assert summary.checks.estimators.probability > 1e-4


def test_the_command_line_simulates_with_a_registered_engine(toy_everywhere, home, tmp_path):
    out = tmp_path / "out"
    words = f"-Z 3.0 -p 2 -c 0.4 --engine toy --duration-ns 0.02 --replicas 1 -o {out}".split()
    command = [sys.executable, "-m", "nanoconf", "simulate", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    about = json.loads((out / "run.json").read_text())
    assert about["engine"] == "toy"
    assert_ideal(SlitProfiles.load(out))


def test_a_missing_module_is_reported_before_a_run_starts(
    toy_everywhere, home, tmp_path, monkeypatch
):
    changed = "replace(TOY, modules=('numpy', 'no_such_one'))"
    register_everywhere(tmp_path, monkeypatch, changed)
    run = Archive(home).submit(SYSTEM, toy_everywhere)
    assert local.start(run.folder).wait() == 1
    assert (run.state, run.error) == (RunState.FAILED, "engine-missing")
    assert run.reason == "The toy engine needs no_such_one: run pip install no_such_one"


def test_settings_accept_registered_engines_only(toy):
    assert RunSettings.from_dict(toy.to_dict()) == toy
    with pytest.raises(InvalidInput, match="must be one of numba, lammps, cuda, toy"):
        replace(toy, engine="gromacs")
    with pytest.raises(InvalidInput, match="The toy engine supports only periodic"):
        replace(toy, electrostatics="sheets")


def test_settings_refuse_an_engine_that_is_not_registered():
    with pytest.raises(InvalidInput, match=r"must be one of numba, lammps, cuda$"):
        RunSettings(engine="toy")


def test_the_run_time_estimate_depends_on_the_cost_of_the_engine(toy):
    by_numba, by_toy = (
        estimated_seconds(SYSTEM, replace(toy, engine=name), cores=1) - START_UP_SECONDS
        for name in ("numba", "toy")
    )
    per_step = registry.get("numba").seconds_per_step(SYSTEM, toy)
    assert by_toy / by_numba == pytest.approx(1e-9 * SYSTEM.ion_count / per_step)


def test_help_lists_registered_engines(toy, capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["simulate", "--help"])
    assert "--engine {numba,lammps,cuda,toy}" in capsys.readouterr().out


def test_a_cluster_entry_can_select_a_registered_engine(toy, tmp_path, monkeypatch):
    path = tmp_path / "clusters.toml"
    path.write_text('[clusters.far]\nhost = "far.example.org"\ncores = 8\nengine = "toy"\n')
    monkeypatch.setenv(config.VARIABLE, str(path))
    # in cluster mode the page uses the engine of the cluster
    settings, place = Place("far").applied(SYSTEM, replace(toy, engine="numba", replicas=3))
    assert settings.engine == "toy"
    assert place["cluster"]["cores"] == 3


def test_mpi_engines_request_one_task_per_core(toy):
    cluster = config.Cluster("far", "far.example.org", cores=8)
    job = Job("one", "far", "clusters.toml", ["a"], tasks=1, cores=8, minutes=10)
    assert "--cpus-per-task=8" in job.options(cluster, "toy")
    registry.register(replace(TOY, mpi=True))
    assert "--ntasks=8" in job.options(cluster, "toy")
    assert resources(cluster, SYSTEM, toy)["cores"] == 8


def test_modules_of_registered_engines_are_copied_to_clusters(toy):
    assert package.needed() == ("numba", "numpy", "scipy")
    registry.register(replace(TOY, modules=("toolbox",)))
    assert package.needed() == ("numba", "numpy", "scipy", "toolbox")


def test_the_page_offers_to_finish_early_if_the_engine_supports_it(toy, state, work):
    panel = ActionsPanel(state, work)
    for resumable in (True, False):
        registry.register(replace(TOY, resumable=resumable))
        state.show(
            Simulation("1" * 32, SYSTEM, replace(toy, seed=3 + resumable), state=RunState.RUNNING)
        )
        assert panel.finish.disabled is not resumable


CHECKED = """\
import sys
from contextlib import suppress
from backend.engines import registry
from backend.sampling.result import SimulationError

for engine in registry.ENGINES.values():
    with suppress(SimulationError):
        engine.check()
print(*{"numba", "scipy", "cuda.bindings", "lammps"} & sys.modules.keys())
"""


def test_to_check_the_engines_loads_none_of_them():
    """Every page does so when it opens; SciPy and the bindings of CUDA take 19 MB."""
    done = subprocess.run(
        [sys.executable, "-c", CHECKED], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_the_page_offers_a_choice_if_a_second_engine_can_be_used(toy, state, work, monkeypatch):
    monkeypatch.delitem(registry.ENGINES, "cuda")  # there may be a card
    panel = ComputingPanel(state, work)
    registry.register(replace(TOY, page_title="Toy", check_function=f"{__name__}:refuse"))
    work.find_engines()
    work.background.submit(int).result()
    assert state.engines == ("numba",) and panel.engine.layout.display == "none"
    registry.register(replace(TOY, page_title="Toy", replicas=3))
    work.find_engines()
    work.background.submit(int).result()
    assert panel.engine.titles == ["Processor", "Toy"] and panel.engine.layout.display is None
    before = state.estimate
    panel.engine.value = "Toy"
    assert state.settings.engine == "toy" and state.settings.replicas == 3
    assert state.estimate != before
    state.cluster_mode = True
    assert panel.engine.layout.display == "none"


def refuse():
    raise SimulationError("there is no toy here")


def test_another_engine_has_its_own_number_of_replicas():
    settings = RunSettings().with_engine("cuda")
    assert settings.replicas == 64 and settings.with_engine("numba") == RunSettings()
    assert RunSettings(replicas=5).with_engine("cuda").replicas == 5


def test_the_page_asks_a_card_for_no_more_snapshots_than_it_can_save(state):
    state.engine = "cuda"
    settings = state.settings
    assert 0 < settings.snapshots < 60
    CudaSimulation(state.system, settings)  # refuses more


# --- independence ---------------------------------------------------------------------------


def modules_after(statement):
    """Return the modules that a statement loads in a new Python process."""
    code = f"{statement}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    return set(json.loads(done.stdout))


def test_the_registry_needs_only_the_standard_library():
    loaded = modules_after("import backend.engines.registry")
    assert not loaded & {"numpy", "scipy", "numba"}
    ours = {name for name in loaded if name.startswith("backend.")}
    assert ours == {"backend.engines", "backend.engines.registry"}


@pytest.mark.parametrize(
    "module",
    ["backend.sampling.assembly", "backend.sampling.checks", "backend.engines.lammps.engine"],
)
def test_code_shared_by_engines_needs_no_engine(module):
    loaded = modules_after(f"import {module}")
    assert "numba" not in loaded
    assert not any(name.startswith("backend.engines.numba") for name in loaded)


def test_the_numba_engine_needs_no_other_engine():
    loaded = modules_after("import backend.engines.numba.engine")
    assert not any(name.startswith("backend.engines.lammps") for name in loaded)


def test_no_other_module_names_an_engine():
    names = set(registry.names())
    for package_folder in ("backend", "nanoconf"):
        for path in sorted((REPOSITORY / package_folder).rglob("*.py")):
            if "engines" in path.relative_to(REPOSITORY).parts or path.name == "extras.py":
                continue  # an extra may have the name of the engine that it brings
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                named = isinstance(node, ast.Constant) and node.value in names
                assert not named, f"{path}:{node.lineno} names {node.value}"
