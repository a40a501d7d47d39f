"""The word lists and templates in ``data/*.json``.

>>> load("criteria")["greetings"][0]
'Hello!'
"""

from __future__ import annotations

import json
from pathlib import Path

DATA = Path(__file__).parent / "data"


def load(name: str) -> dict[str, list[str]]:
    """Every list of one file, by its name."""
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
