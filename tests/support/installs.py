"""Installations of the wheel: what a user has, without this checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from email.parser import Parser
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def build_wheel(folder: Path) -> Path:
    """Build the wheel into a folder; return its path."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("nanoconf-*.whl")
    return path


def install_plain(wheel: Path, folder: Path) -> Path:
    """Install the wheel with its dependencies and without extras; return the folder of commands.

    The dependencies are links to those installed here, so that it takes seconds and no network.
    What is not a dependency cannot be imported.
    """
    venv.create(folder, symlinks=True, with_pip=False)
    for distribution in dependencies(wheel):
        _link(distribution, folder)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    options = ["--no-deps", "--no-index", "--root-user-action=ignore"]
    subprocess.run([*pip, *options, str(wheel)], check=True, capture_output=True)
    return python.parent


def dependencies(wheel: Path) -> list[metadata.Distribution]:
    """Return the installed packages that the wheel needs, directly or not, without extras."""
    waiting = [each for each in map(Requirement, _requirements(wheel)) if _applies(each)]
    followed: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        key = canonicalize_name(requirement.name), frozenset(requirement.extras or {""})
        if key in followed:
            continue
        followed.add(key)
        needed = map(Requirement, metadata.requires(key[0]) or ())
        waiting += [each for each in needed if any(_applies(each, extra) for extra in key[1])]
    return [metadata.distribution(name) for name in sorted({name for name, _ in followed})]


def _requirements(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode()).get_all("Requires-Dist", [])


def _applies(requirement: Requirement, extra: str = "") -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _link(distribution: metadata.Distribution, folder: Path) -> None:
    """Link the modules and copy the shared files of a package into an environment."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    source = Path(str(distribution.locate_file("")))
    for file in distribution.files or ():
        name = file.parts[0]
        if name == "..":
            _copy_shared(source / file, folder.joinpath(*file.parts[3:]))
        elif name != "__pycache__" and not os.path.lexists(packages / name):
            (packages / name).symlink_to((source / name).resolve())


def _copy_shared(source: Path, target: Path) -> None:
    """Copy a file, because servers do not follow links."""
    if target.parent.name == "bin":  # commands of the other Python
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
