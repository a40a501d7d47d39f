"""Write the part of docs/engines.md that says what each engine supports, from the conformance suite.

python docs/make_engines.py

The suite (tests/engines/conformance) runs every feature of the table against every engine that has it, and compares
the rest with what the engine says of itself.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "engines.md"
FEATURES = ROOT / "tests" / "engines" / "conformance" / "engine_features.py"
BEGIN, END = "<!-- generated: begin -->\n", "<!-- generated: end -->\n"


def _features() -> ModuleType:
    spec = importlib.util.spec_from_file_location("engine_features", FEATURES)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(text: str) -> str:
    """The page with its generated part renewed.

    Raises:
        ValueError: the marks are missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} lacks the lines {BEGIN.strip()!r} and {END.strip()!r}")
    return f"{before}{BEGIN}\n{_features().table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
