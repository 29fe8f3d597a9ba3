"""Check the tree and build a release in dist/: python scripts/release.py [--without-tests].

``make release`` calls this script. It stops at the first problem. It uploads nothing.

dist/ receives the wheel, the sdist, a list of the packages that the release was checked with
(CycloneDX), a table of their licences, and the checksums of these files.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
BIN = Path(sys.executable).parent

NOT_TESTED = "NOT TESTED: --without-tests leaves out `make test`. Rehearse with it, do not publish."

OPEN_SOURCE = {
    *("0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "GPL-2.0-only"),
    *("ISC", "LGPL-2.1", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "mpich2", "PSF-2.0", "Python-2.0"),
    *("Zlib",),
}
"""Licences that a package may have: SPDX identifiers, and BSD of any kind."""

NAMES = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""Short names of licences that metadata name otherwise."""

PACKAGES = {
    **dict.fromkeys(("asttokens", "bleach", "keras", "namex", "overrides"), "Apache-2.0"),
    "mpich": "mpich2",
    "protobuf": "BSD-3-Clause",
}
"""Licences of packages whose metadata does not state them, from their licence files."""


def main() -> None:
    """Check, build and describe a release."""
    parser = argparse.ArgumentParser(description="Check the tree and build a release in dist/.")
    parser.add_argument("--without-tests", action="store_true", help="leave out `make test`")
    tested = not parser.parse_args().without_tests
    began = time.monotonic()
    check_tree(ROOT)
    version = check_version(ROOT)
    check_changes(ROOT)
    call("make", "lint")
    if tested:
        call("make", "test")
    else:
        print(NOT_TESTED)
    build(DIST)
    with tempfile.TemporaryDirectory(prefix="nanoconf-release-") as folder:
        python = install(version, Path(folder) / "environment")
        predict(python.parent / "nanoconf", version, Path(folder))
        components = list_packages(python, version, DIST / f"nanoconf-{version}.cdx.json")
    write_licences(components, DIST / f"nanoconf-{version}-licences.csv")
    write_checksums(DIST)
    report(DIST, time.monotonic() - began)
    if not tested:
        print(NOT_TESTED)


# --- checks ---------------------------------------------------------------------------------


def check_tree(root: Path) -> None:
    """Check that everything is committed."""
    changed = output("git", "status", "--porcelain", cwd=root).splitlines()
    if changed:
        raise SystemExit(f"{len(changed)} files are not committed, first {changed[0][3:]}: commit")


def check_version(root: Path) -> str:
    """Return the version; it must be the same in all files that state it, and so must the date."""
    text = (root / "backend" / "__init__.py").read_text(encoding="utf-8")
    (version,) = re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    cited = str(citation.get("version")), str(citation.get("date-released"))
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = next(iter(re.findall(r"^## \[(\d.*)\] - (\S+)$", changes, re.MULTILINE)), ("", ""))
    if cited[0] != version:
        raise SystemExit(f"CITATION.cff has version {cited[0]}: must be {version}, as in backend/")
    if newest != cited:
        raise SystemExit(
            "CHANGELOG.md: its newest section must be "
            f"## [{version}] - {cited[1]}, as in CITATION.cff"
        )
    return version


def check_changes(root: Path) -> None:
    """Check that the changelog lists all changes under the version."""
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    _, _, rest = changes.partition("## [Unreleased]")
    if rest.partition("\n## [")[0].strip():
        raise SystemExit("CHANGELOG.md: move the lines under [Unreleased] to the new version")


# --- build ----------------------------------------------------------------------------------


def build(folder: Path) -> None:
    """Build the sdist and, from it, the wheel; equal commits give equal files."""
    shutil.rmtree(folder, ignore_errors=True)
    committed = output("git", "log", "-1", "--format=%ct", cwd=ROOT)
    options = ("--no-build-isolation", "--quiet", "--python", sys.executable)
    changes = {"SOURCE_DATE_EPOCH": committed}
    call(BIN / "uv", "build", *options, "--out-dir", folder, **changes)
    (folder / ".gitignore").unlink(missing_ok=True)  # made by uv
    call(BIN / "twine", "check", "--strict", *sorted(folder.iterdir()))


def install(version: str, environment: Path) -> Path:
    """Install the wheel with the locked packages; return the Python of the environment."""
    python = environment / "bin" / "python"
    call(BIN / "uv", "venv", "--quiet", "--python", sys.executable, environment)
    pip = (BIN / "uv", "pip", "install", "--quiet", "--no-config", "--python", python)
    locked = ROOT / "requirements" / "run.txt"
    call(*pip, "--require-hashes", "--only-binary", ":all:", "--requirements", locked)
    # A path instead of the name and version would appear in the list of packages.
    call(*pip, "--no-deps", "--no-index", "-f", DIST, f"nanoconf=={version}")
    call(BIN / "uv", "pip", "check", "--quiet", "--python", python)
    return python


def predict(command: Path, version: str, folder: Path) -> None:
    """Check that the installed command has this version and predicts."""
    found = output(command, "--version", cwd=folder)
    if found != f"nanoconf {version}":
        raise SystemExit(f"the wheel installs {found}: must be nanoconf {version}")
    call(command, "predict", "-o", "run", cwd=folder, NANOCONF_HOME=str(folder / "home"))
    for species in ("positive", "negative"):
        lines = (folder / "run" / f"ml_{species}_density.csv").read_text(encoding="utf-8")
        if lines.count("\n") < 300:
            raise SystemExit(f"the installed wheel wrote an incomplete {species} profile")


# --- description ----------------------------------------------------------------------------


def list_packages(python: Path, version: str, path: Path) -> list[dict[str, Any]]:
    """Write the list of packages in an environment; return its entries."""
    about = ("--pyproject", ROOT / "pyproject.toml", "--output-reproducible")
    call(BIN / "cyclonedx-py", "environment", *about, "--output-file", path, python)
    listed = json.loads(path.read_text(encoding="utf-8"))
    listed["metadata"]["component"]["version"] = version  # which pyproject.toml does not hold
    path.write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    return listed["components"]


def write_licences(components: Iterable[dict[str, Any]], path: Path) -> None:
    """Write a table of packages and licences; all must be open source."""
    rows = sorted((each["name"], each["version"], licence(each)) for each in components)
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(("package", "version", "licence"))
        table.writerows(rows)
    closed = [f"{name} ({text or 'none'})" for name, _, text in rows if not is_open_source(text)]
    if closed:
        raise SystemExit(f"not known as open source: {', '.join(closed)}: see scripts/release.py")


def licence(component: dict[str, Any]) -> str:
    """Return the licence of a package as an SPDX expression, if its metadata allow it."""
    if component["name"] in PACKAGES:
        return PACKAGES[component["name"]]
    texts = []
    for each in component.get("licenses", ()):
        named = each.get("license", {})
        text = each.get("expression") or named.get("id") or named.get("name", "")
        texts.append(NAMES.get(text, text))
    return " AND ".join(dict.fromkeys(texts))


def is_open_source(expression: str) -> bool:
    """Return True if all licences in an SPDX expression are open source."""
    without_exceptions = re.sub(r" WITH \S+", "", expression)
    licences = re.split(r" (?:AND|OR) ", without_exceptions)
    return all(each.strip("() ") in OPEN_SOURCE for each in licences)


def write_checksums(folder: Path) -> None:
    """Write SHA256SUMS, which `sha256sum --check` reads."""
    files = sorted(folder.iterdir())
    lines = [f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in files]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def report(folder: Path, seconds: float) -> None:
    """Print the files and their sizes."""
    for path in sorted(folder.iterdir()):
        print(f"{path.stat().st_size / 1e6:7.2f} MB  {path.relative_to(ROOT)}")
    print(f"{seconds:7.0f} s in all")


# --- commands -------------------------------------------------------------------------------


def call(*words: str | Path, cwd: Path = ROOT, **changes: str) -> None:
    """Run a command, print how long it took, and stop if it fails."""
    command = " ".join([Path(words[0]).name, *map(str, words[1:3])])
    began = time.monotonic()
    if subprocess.run(words, cwd=cwd, env=environment(changes), check=False).returncode:
        raise SystemExit(f"`{command}` failed: see above")
    print(f"{time.monotonic() - began:7.1f} s  {command}", flush=True)


def output(*words: str | Path, cwd: Path) -> str:
    """Return what a command prints."""
    done = subprocess.run(words, cwd=cwd, env=environment({}), check=True, capture_output=True)
    return done.stdout.decode().rstrip()


def environment(changes: dict[str, str]) -> dict[str, str]:
    """Return the variables of a command: without a path on which it would find this tree."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return kept | changes


if __name__ == "__main__":
    main()
