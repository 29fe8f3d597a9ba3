"""Lay out the repository of the tool as nanoHUB wants it: python3 scripts/lay_out_nanohub.py DIR.

When the command is repeated, it replaces what it has laid out; everything else in DIR, such as
``.git``, stays. ``make nanohub TOOL=DIR`` calls this script. It needs Python 3.11 and nothing else.
"""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NANOHUB = ROOT / "deploy" / "nanohub"

LEFT_OUT = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.egg-info")


def lay_out(tool: Path) -> None:
    """Write the repository of the tool into a folder.

    Raises
    ------
    SystemExit
        The folder has other contents.
    """
    if tool.exists() and any(tool.iterdir()) and not (tool / "middleware").is_dir():
        others = [each.name for each in tool.iterdir() if each.name not in (".git", ".svn")]
        if others:
            raise SystemExit(f"{tool} is not empty and has no middleware/: choose another folder")
    for source, name in _copies():
        _replace(source, tool / name)


def _copies() -> list[tuple[Path, str]]:
    """Return what is copied, and its path in the tool."""
    files = [each for each in sorted(NANOHUB.rglob("*")) if each.is_file()]
    own = [(each, str(each.relative_to(NANOHUB))) for each in files]
    sources = [(ROOT / each, f"src/nanoconf/{each}") for each in _sources()]
    documents = [(each, f"doc/{each.name}") for each in sorted((ROOT / "docs").glob("*.md"))]
    return [
        *own,
        (ROOT / "requirements" / "simtool.txt", "src/requirements.txt"),
        *sources,
        *documents,
        (ROOT / "app.ipynb", "bin/app.ipynb"),
        (ROOT / "LICENSE", "LICENSE"),
    ]


def _sources() -> list[str]:
    """Return what the wheel is built from: see pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    included = [*wheel["packages"], *wheel["force-include"], *wheel["shared-data"]]
    about = project["project"]
    return [*included, "pyproject.toml", about["readme"], *about["license-files"]]


def _replace(source: Path, target: Path) -> None:
    """Copy a file or a folder, with its mode, in place of another one."""
    if target.is_dir():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=LEFT_OUT)
    else:
        shutil.copy2(source, target)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python3 scripts/lay_out_nanohub.py DIR")
    lay_out(Path(sys.argv[1]))
    print(
        f"The repository of the tool is in {sys.argv[1]}. To install it: make -C {sys.argv[1]}/src"
    )
