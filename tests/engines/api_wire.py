"""A fake provider: it speaks the wire formats of OpenAI, Anthropic and Gemini as far as litellm needs them.

    with ApiWire() as wire:
        engine = LitellmEngine("openai/gpt-4o-mini", api_base=wire.openai)

It knows no language. What it answers follows from a digest of the messages, so the same question has the same answer,
the same usage and the same cost, whenever it is asked. It keeps what it was sent (``wire.asked``) and what it billed
(``wire.billed``), and does what ``wire.script`` says instead of answering. Structured output is kept to only where the
request asks for it in the provider's own way; else the answer is prose.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Asked:
    """One request as it came in."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass
class Fault:
    """In place of an answer: a status with a body; ``hang`` never answers, ``cut`` breaks the connection."""

    status: int = 500
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "status"


@dataclass
class Said:
    """In place of the usual answer: this text, or a refusal."""

    text: str = ""
    finish: str = "stop"
    thinking: str = ""


@dataclass
class Billed:
    prompt: int
    cached: int
    completion: int


class ApiWire:
    """The server, in a thread of its own.

    Attributes:
        asked: the requests, in order of arrival.
        billed: tokens of every answer that was given in full, in order.
        script: what happens instead of an answer, first to last.
        usage: from the digest of a question to prompt, cached and completion tokens of one text.
        delay_s: how long an answer takes.
        most_at_once: the most requests that were open at the same time.
    """

    def __init__(self, *, delay_s: float = 0.0) -> None:
        self.asked: list[Asked] = []
        self.billed: list[Billed] = []
        self.script: deque[Fault | Said] = deque()
        self.usage: Callable[[int], tuple[int, int, int]] = lambda seed: (40 + seed % 60, 0, 12 + seed % 20)
        self.delay_s = delay_s
        self.most_at_once = self._open = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.port = 0

    def __enter__(self) -> ApiWire:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def openai(self) -> str:
        return f"{self.url}/v1"

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        self._loop.run_until_complete(self._runner.setup())
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self._ready.set()
        self._loop.run_forever()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(Asked(request.path, body, dict(request.headers)))
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        try:
            step = self.script.popleft() if self.script else None
            if isinstance(step, Fault):
                return await self._fail(request, step)
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            if request.path.endswith("/chat/completions"):
                return web.json_response(self._openai(body, step))
            if request.path.endswith("/v1/messages"):
                return web.json_response(self._anthropic(body, step))
            if request.path.endswith(":generateContent"):
                return web.json_response(self._gemini(body, step))
            return web.json_response({"error": {"message": f"no route {request.path}"}}, status=404)
        finally:
            self._open -= 1

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind == "hang":
            await asyncio.sleep(3600)
        if fault.kind == "cut":
            response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
            await response.prepare(request)
            await response.write(b'{"id": "x", "choi')
            assert request.transport is not None
            request.transport.close()
            return response
        return web.json_response(fault.body, status=fault.status, headers=fault.headers)

    def _bill(self, seed: int, texts: int) -> Billed:
        prompt, cached, completion = self.usage(seed)
        self.billed.append(Billed(prompt, cached, completion * texts))
        return self.billed[-1]

    def _openai(self, body: dict[str, Any], said: Said | None) -> dict[str, Any]:
        wanted = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
        seed, n = digest(body["messages"]), body.get("n", 1)
        choices = []
        for index in range(n):
            text = said.text if said else write(wanted, seed + index)
            message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
            finish = said.finish if said else "stop"
            if finish == "refusal":
                message |= {"content": None, "refusal": text}
                finish = "stop"
            if said and said.thinking:
                message["reasoning_content"] = said.thinking
            choice: dict[str, Any] = {"index": index, "message": message, "finish_reason": finish, "logprobs": None}
            if body.get("logprobs"):
                choice["logprobs"] = {"content": tokens(text, body.get("top_logprobs", 0)), "refusal": None}
            choices.append(choice)
        bill = self._bill(seed, n)
        usage = {
            "prompt_tokens": bill.prompt,
            "completion_tokens": bill.completion,
            "total_tokens": bill.prompt + bill.completion,
            "prompt_tokens_details": {"cached_tokens": bill.cached, "audio_tokens": 0},
        }
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": choices,
            "usage": usage,
        }

    def _anthropic(self, body: dict[str, Any], said: Said | None) -> dict[str, Any]:
        native = (body.get("output_format") or (body.get("output_config") or {}).get("format") or {}).get("schema")
        tool = next(iter(body.get("tools") or ()), None)
        seed = digest(body["messages"])
        content: list[dict[str, Any]] = []
        if said and said.thinking:
            content.append({"type": "thinking", "thinking": said.thinking, "signature": "s"})
        stop = {"stop": "end_turn", "length": "max_tokens"}.get(said.finish, said.finish) if said else "end_turn"
        if tool is not None and not said:
            answer = json.loads(write(tool["input_schema"], seed))
            content.append({"type": "tool_use", "id": "t1", "name": tool["name"], "input": answer})
            stop = "tool_use"
        else:
            content.append({"type": "text", "text": said.text if said else write(native, seed)})
        bill = self._bill(seed, 1)
        # Anthropic counts the cached part apart.
        usage = {
            "input_tokens": bill.prompt - bill.cached,
            "cache_read_input_tokens": bill.cached,
            "cache_creation_input_tokens": 0,
            "output_tokens": bill.completion,
        }
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": usage,
        }

    def _gemini(self, body: dict[str, Any], said: Said | None) -> dict[str, Any]:
        config = body.get("generationConfig") or {}
        wanted = config.get("responseJsonSchema") or config.get("response_json_schema")
        wanted = wanted or config.get("responseSchema") or config.get("response_schema")
        seed, n = digest(body["contents"]), config.get("candidateCount") or config.get("candidate_count") or 1
        candidates = []
        for index in range(n):
            text = said.text if said else write(wanted, seed + index)
            finish = {"stop": "STOP", "length": "MAX_TOKENS"}.get(said.finish, said.finish) if said else "STOP"
            part = {"index": index, "finishReason": finish}
            if finish != "SAFETY":
                part["content"] = {"role": "model", "parts": [{"text": text}]}
            candidates.append(part)
        bill = self._bill(seed, n)
        usage = {
            "promptTokenCount": bill.prompt,
            "candidatesTokenCount": bill.completion,
            "totalTokenCount": bill.prompt + bill.completion,
        }
        if bill.cached:
            usage["cachedContentTokenCount"] = bill.cached
        return {"candidates": candidates, "usageMetadata": usage, "modelVersion": "gemini"}


def digest(value: Any) -> int:
    """A number that follows from what was asked."""
    return int.from_bytes(hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()[:6], "big")


def write(schema: dict[str, Any] | None, seed: int) -> str:
    """A JSON text of a schema, in the order of its properties; prose where there is none."""
    if schema is None:
        return "I would say that this is a good answer."
    return json.dumps(_value(schema, seed), separators=(",", ":"))


def _value(schema: dict[str, Any], seed: int) -> Any:
    if "enum" in schema:
        return schema["enum"][seed % len(schema["enum"])]
    if str(schema["type"]).lower() == "object":
        return {
            name: _value(item, seed // 7 + place) for place, (name, item) in enumerate(schema["properties"].items())
        }
    return f"Remark {seed % 1000}."


def tokens(text: str, top: int) -> list[dict[str, Any]]:
    """Tokens of one character, each likely, with one alternative."""
    found = []
    for char in text:
        shown = [(char, math.log(0.75)), ("n" if char != "n" else "y", math.log(0.25))][:top]
        alternatives = [{"token": t, "logprob": lp, "bytes": list(t.encode())} for t, lp in shown]
        found.append(
            {"token": char, "logprob": math.log(0.75), "bytes": list(char.encode()), "top_logprobs": alternatives}
        )
    return found
