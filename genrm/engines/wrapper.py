"""An engine around another one: what is not said otherwise is the inner engine's.

>>> Wrapper(engine).model == engine.model                                                # doctest: +SKIP
True
"""

from __future__ import annotations

from typing import Any

from genrm.engines.base import Capabilities, Engine


class Wrapper:
    """Passes on what an engine says of itself, also what only some engines have (``card``, ``probe``, ``prices``)."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def name(self) -> str:
        """Of the engine."""
        return self.engine.name

    @property
    def model(self) -> str:
        """Of the engine."""
        return self.engine.model

    @property
    def capabilities(self) -> Capabilities:
        """Of the engine."""
        return self.engine.capabilities

    def __getattr__(self, name: str) -> Any:
        if name == "engine":  # not there yet: while this is being built or copied
            raise AttributeError(name)
        return getattr(self.engine, name)

    def count_tokens(self, text: str) -> int | None:
        """Tokens of a text, or None when the tokenizer is not at hand."""
        return self.engine.count_tokens(text)
