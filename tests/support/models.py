"""Folders of models, copied from the shipped one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from nanoconf.surrogate.lifecycle.registry import package_models

SHIPPED = package_models() / "model-3"


def put(place: Path, name: str, created: str, source: Path = SHIPPED, **changes: Any) -> Path:
    """Copy a model to a folder of models, under another name.

    The card lists only a few of its systems, and no losses, so that it is read faster.
    """
    folder = place / name
    shutil.copytree(source, folder)
    card = json.loads((folder / "card.json").read_text())
    few = {key: card["systems"][key][:3] for key in ("training", "validation")}
    changes = {"name": name, "created": created, "systems": few, "training": {}, **changes}
    (folder / "card.json").write_text(json.dumps(card | changes))
    return folder


def put_three(place: Path) -> None:
    """Fill a home's folder: 6 was rejected, 5 is current, 4 was before, the package ships 3."""
    put(place, "model-4", "2026-01-04")
    put(place, "model-5", "2026-01-05")
    rejected = {"promoted": False, "against": "model-5", "reason": "worse"}
    put(place, "model-6", "2026-01-06", promotion=rejected)
    choice = {"model": "model-5", "before": ["model-3", "model-4"]}
    (place / "current.json").write_text(json.dumps(choice))
