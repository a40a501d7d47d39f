"""Importing vLLM without its noise.

    >>> import_vllm()                                                                        # doctest: +SKIP

It takes seconds and sets up logging by environment variables, which count at its first import.
"""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

QUIET = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}


def import_vllm() -> None:
    """Import it, with :data:`QUIET` where the user has not said otherwise."""
    # Remarks of two libraries about each other, which tell a user of neither anything.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"vllm\.")
    logging.getLogger("torch._library.triton").setLevel(logging.ERROR)
    with environment(QUIET):
        importlib.import_module("vllm.engine.arg_utils")


@contextmanager
def environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for a while, where the user has not set them."""
    added = [name for name in wanted if name not in os.environ]
    os.environ.update({name: wanted[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
