"""The part of ``json_schema`` that runs in a process of its own. Imported there only (see ``bounded``)."""

from __future__ import annotations

from typing import Any

from genrm.checks.json_ import first_fault
from genrm.specs.schema import build_validator


def run(payload: dict[str, Any]) -> str | None:
    """The first fault of ``payload["data"]`` under ``payload["schema"]``; None when it is valid."""
    return first_fault(build_validator(payload["schema"]), payload["data"])
