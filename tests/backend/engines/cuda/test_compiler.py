"""The CUDA source is compiled by NVRTC, which needs no card; with the Python of .venv-cuda."""

import subprocess
from pathlib import Path

import pytest

from backend.engines.cuda.compiler import ARCHITECTURES

ROOT = Path(__file__).parents[4]
PYTHON = ROOT / ".venv-cuda" / "bin" / "python"

COMPILE = """\
import sys
from backend.engines.cuda.compiler import compiled
from backend.engines.cuda.slit import KERNELS, Shape
code = compiled(Shape.of(int(sys.argv[1])), int(sys.argv[2]))
assert code.startswith(b"\\x7fELF"), code[:20]
assert all(name.encode() in code for name in KERNELS)
"""


def compile_for(count, architecture):
    assert PYTHON.exists(), "there is no .venv-cuda: build it with make .venv-cuda/.ready"
    command = [PYTHON, "-c", COMPILE, str(count), str(architecture)]
    subprocess.run(command, check=True, timeout=600, cwd=ROOT)


def test_the_source_compiles_for_a_card():
    compile_for(424, 90)


@pytest.mark.long
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("count", [424, 1000, 4096])
def test_the_source_compiles_for_every_card(count, architecture):
    compile_for(count, architecture)


def test_nothing_of_cuda_is_imported_before_it_is_asked_for():
    code = "import sys, backend.engines.cuda.engine; print([*sys.modules].count('cuda'))"
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "0\n"


def test_without_a_driver_the_engine_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("NANOCONF_HOME", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    command = [PYTHON, "-m", "nanoconf", "simulate", "--engine", "cuda", "-o", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "needs an NVIDIA card and its driver, but" in line and "--engine numba" in line
    assert not (tmp_path / "out").exists()
