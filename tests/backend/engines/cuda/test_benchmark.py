"""The benchmark of the CUDA engine runs, on the CPU shim and with little work."""

from dataclasses import replace

import pytest

from backend.engines.numba import engine as numba_engine
from backend.settings import RunSettings
from backend.system import SlitSystem
from benchmarks import cuda
from benchmarks.cuda import PARTS, Scale, measure
from nanoconf.data import dataset
from tests.support.cuda_shim.compiled import ShimDevice

pytestmark = pytest.mark.long

SYSTEM = SlitSystem(
    confinement_length=1.2, salt_concentration=2.0, positive_diameter=0.3, negative_ions=48
)
CHARGED = SYSTEM.replace(
    negative_diameter=0.35, surface_charge_density=-0.01, salt_concentration=1.8
)
SETTINGS = RunSettings(engine="cuda", replicas=2, duration_ns=0.06, time_step=0.01)
SCALE = Scale(SYSTEM, (1, 2), (96,), (1,), 0.1, SETTINGS, 30.0, slit_replicas=1)


@pytest.fixture
def data(tmp_path):
    """Datasets of the Numba engine with one system each."""
    settings = replace(SETTINGS, engine="numba")
    for name, system in (("grid", SYSTEM), ("slits/validation", CHARGED)):
        result = numba_engine.run(system, settings)
        rows = dataset.rows_of(result, number=0, inputs_hash="0")
        (tmp_path / name).mkdir(parents=True)
        dataset.save(tmp_path / name, rows, dataset.describe(rows))
    return tmp_path


def test_all_parts_run_and_are_kept(data, tmp_path, capsys, monkeypatch):
    kept = tmp_path / "cuda.json"
    measure(ShimDevice(), SCALE, list(PARTS), data, kept)
    printed = capsys.readouterr().out
    assert printed.startswith("cuda-shim 1\n")
    assert "1 of 1 systems of the paper's grid" in printed
    assert "1 of 1 systems with charged walls and unequal ions" in printed
    assert "Numba engine, one core" in printed and "nan" not in printed
    for part in PARTS:  # nothing is measured again
        monkeypatch.setitem(cuda.PARTS, part, None)
    measure(ShimDevice(), SCALE, list(PARTS), data, kept)
    assert capsys.readouterr().out == printed


def test_a_missing_dataset_is_skipped_with_the_command_that_makes_it(tmp_path, capsys):
    measure(ShimDevice(), SCALE, ["slits"], tmp_path, tmp_path / "cuda.json")
    assert "run nanoconf sweep --plan" in capsys.readouterr().out
