"""The engine ``tiny``: the embedded demonstration judge, a small model that comes with genrm.

    >>> TinyEngine().model                                                                   # doctest: +SKIP
    'genrm-tiny@1:5d1f0c9ab3e2'

It needs no download, no key and no GPU. ``tiny:unhardened`` is its sibling that was trained without degenerate
responses, for work on robustness. Its domain is narrow: see ``docs/embedded-judge.md``.
"""

from __future__ import annotations

from typing import Any

from genrm.engines.hf import HfEngine
from genrm.errors import Fault, SpecError
from genrm.resources import tiny_dir

VARIANTS = ("default", "unhardened")


class TinyEngine(HfEngine):
    """The embedded judge; takes the options of :class:`HfEngine`.

    It runs in float64, where the company in a batch changes no digit of an output row, on one thread of the CPU:
    with matrices this small, more threads only wait for each other.

    Raises:
        SpecError: there is no such variant.
    """

    def __init__(self, variant: str = "default", **options: Any) -> None:
        if variant not in VARIANTS:
            forms = ", ".join("tiny" if name == "default" else f"tiny:{name}" for name in VARIANTS)
            raise SpecError(Fault("there is no such embedded judge", field="model", value=variant, fix=f"use {forms}"))
        defaults: dict[str, Any] = {"device": "cpu", "dtype": "float64", "threads": 1, "batch_size": 32}
        defaults["name"] = "tiny" if variant == "default" else f"tiny:{variant}"
        super().__init__(str(tiny_dir(variant)), **defaults | options)
