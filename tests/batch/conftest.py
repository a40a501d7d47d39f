"""The scripted judge and small input files for the tests of this folder."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_FILE = Path(__file__).with_name("scripted.py")


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("genrm_scripted_judge", _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_MODULE = _load()


@pytest.fixture
def scripted() -> Any:
    """The class ``ScriptedJudge``."""
    return _MODULE.ScriptedJudge


@pytest.fixture
def scripted_program() -> Path:
    """A program that judges a file with it; see its docstring."""
    return _FILE


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[..., Path]:
    """``write_rows([...], "in.jsonl")`` -> the path; rows are dicts, or lines as they stand."""

    def write(rows: Iterable[Any], name: str = "in.jsonl") -> Path:
        path = tmp_path / name
        lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return path

    return write


@pytest.fixture
def read_rows() -> Callable[[Path], list[dict[str, Any]]]:
    """The rows of an output file."""
    return lambda path: [json.loads(line) for line in path.read_text().splitlines()]
