"""The CUDA source is compiled by NVRTC, which needs no card."""

import subprocess
import sys

import pytest

from backend.engines.cuda import compiler
from backend.engines.cuda.compiler import ARCHITECTURES
from backend.engines.cuda.slit import KERNELS, Shape

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="NVRTC is installed on Linux only")


def is_code(code):
    return code.startswith(b"\x7fELF") and all(name.encode() in code for name in KERNELS)


def test_the_source_is_compiled_once_for_a_card(monkeypatch, tmp_path):
    monkeypatch.setenv(compiler.VARIABLE, str(tmp_path))
    assert is_code(compiler.cubin(Shape.of(424), 90))
    (path,) = tmp_path.rglob("*.cubin")
    path.write_bytes(b"kept")
    assert compiler.cubin(Shape.of(430), 90) == b"kept"


@pytest.mark.long
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("count", [424, 1000, 4096])
def test_the_source_compiles_for_every_card(count, architecture):
    assert is_code(compiler.compiled(Shape.of(count), architecture))


def test_the_message_gives_the_first_compiler_error(monkeypatch, tmp_path):
    source = tmp_path / "wrong.cu"
    source.write_text("__device__ int wrong = missing;\n")
    monkeypatch.setattr(compiler, "SOURCE", source)
    with pytest.raises(RuntimeError, match=r'for sm_90: wrong\.cu\(1\): error: .*"missing"'):
        compiler.compiled(Shape.of(424), 90)


def test_cuda_is_imported_only_when_needed():
    code = "import sys, backend.engines.cuda.engine; print([*sys.modules].count('cuda.bindings'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "0\n"
