"""A scripted engine: a fake that answers by rule, for what the judge around an engine has to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Capabilities, Completion, SlotReading, Usage
from genrm.judging import runtime

Script = Callable[[JudgeRequest, int, str], Any]
"""Gets the request, the index of the vote and the slot; returns a label, (label, p), or raises."""


class ScriptedEngine:
    name = "scripted"
    model = "scripted"
    card = None

    def __init__(self, script: Script, *, delay_s: float = 0.0, capabilities: Capabilities | None = None) -> None:
        self.script = script
        self.delay_s = delay_s
        self.capabilities = capabilities or Capabilities()
        self.requests: list[JudgeRequest] = []

    async def complete(self, request: JudgeRequest) -> list[Completion]:
        self.requests.append(request)
        await asyncio.sleep(self.delay_s)
        return [self._completion(request, vote) for vote in range(len(request.seeds))]

    def _completion(self, request: JudgeRequest, vote: int) -> Completion:
        slots = request.output.slots
        answers: dict[str, Any] = {}
        readings = {}
        for slot in slots:
            said = self.script(request, vote, slot)
            label, p = said if isinstance(said, tuple) else (said, None)
            answers[slot] = {"critique": f"vote {vote} on {slot}", "label": label}
            if p is not None:
                readings[slot] = SlotReading(p)
        data = answers if len(slots) > 1 else next(iter(answers.values()))
        return Completion(json.dumps(data), Usage(1, 10, 0, 5), readings)

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    async def aclose(self) -> None:
        self.requests.clear()


@pytest.fixture
def scripted(monkeypatch):
    """Installs a scripted engine for the model name ``scripted`` and gives it back."""

    def install(script: Script, **options: Any) -> ScriptedEngine:
        engine = ScriptedEngine(script, **options)
        monkeypatch.setattr("genrm.engines.open_engine", lambda model, **_: engine)
        runtime.shutdown()
        return engine

    yield install
    runtime.shutdown()
