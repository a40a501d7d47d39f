"""Memory does not grow with the file; ``benchmarks/stream_memory.py`` measures the same on more rows."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads resident memory from /proc")


@pytest.mark.parametrize("ordered", [True, False])
def test_memory_is_flat(ordered):
    path = Path(__file__).parents[2] / "benchmarks" / "stream_memory.py"
    spec = importlib.util.spec_from_file_location("stream_memory", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    figures = module.measure(8000, ordered=ordered)
    # Kept in memory, the rows of the last nine tenths alone would be some 15 MB as Python objects.
    assert figures["growth_mb"] < 6
