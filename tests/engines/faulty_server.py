"""A fake judge behind the OpenAI wire format, for injecting faults. It is no model: a rule decides every verdict.

    python tests/engines/faulty_server.py --port 8001 --share 0.01

The rule: a response names its row (``row-17``), and ``label_of`` gives the label. It keeps to the regular expression
or the schema that is asked for, shows log-probabilities, and breaks in every way in :data:`FAULTS`: those that tests
put into ``script`` one after the other, or each for a share of the requests. Some rows are refused for good
(:func:`fate_of`), so that a test knows which rows must fail, and how.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import re
import threading
import time
import zlib
from collections import Counter, deque
from typing import Any

from aiohttp import web

STRING_BODY = r'([^"\\\x00-\x1F]|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4})*'
MODEL = "fake-judge"
SURE = 0.8
"""Probability of the label that the rule gives; the others share the rest."""

FAULTS = (
    "429",
    "429 seconds",
    "429 date",
    "500",
    "502",
    "503",
    "529",
    "reset",
    "reset in the body",
    "truncated",
    "content type",
    "bad utf-8",
    "html",
    "shape",
    "breaks the schema",
    "hang",
    "drip",
)
"""What passes when it is tried again."""

FATES = {0: "context_overflow", 1: "refused", 2: "engine"}
"""What some rows come to, by the rest of a hash; the category of their error."""


def fate_of(row: int) -> str | None:
    """The category of the error that a row must end with; None for a row that must be judged."""
    return FATES.get(zlib.crc32(f"fate {row}".encode()) % 100)


def label_of(row: int, labels: list[str]) -> str:
    """The label that the rule gives a row."""
    return labels[zlib.crc32(f"row {row}".encode()) % len(labels)]


def critique_of(row: int, seed: int) -> str:
    return f"Row {row}, seed {seed % 997}: naïve “ok” 🙂 日本".replace('"', "")


class FaultyServer:
    """The server, in a thread of its own.

    Attributes:
        script: faults of the next requests for a chat completion, one each.
        share: of the requests, for each fault of ``mix``.
        mode: None, "down" (503 to all), "hang" (no answer to any), "unauthorized".
        counts: requests by what was done with them.
        attempts: requests by row.
        capacity: more requests at once than this get 429; None for no limit.
        delay_s: how long an answer takes.
    """

    def __init__(
        self, *, share: float = 0.0, fates: bool = False, seed: int = 0, mix: tuple[str, ...] = FAULTS
    ) -> None:
        self.script: deque[str] = deque()
        self.share, self.fates, self.mix = share, fates, mix
        self.mode: str | None = None
        self.counts: Counter[str] = Counter()
        self.attempts: Counter[int] = Counter()
        self.headers: list[dict[str, str]] = []
        self.bodies: list[dict[str, Any]] = []
        self.keep_bodies = False
        self.capacity: int | None = None
        self.delay_s = 0.0
        self.in_flight = self.most_in_flight = self.cancelled = 0
        self.connections: set[int] = set()
        self.models = [{"id": MODEL, "object": "model", "max_model_len": 65536}]
        self.key: str | None = None
        self.echo_key = False
        self.ignores: set[str] = set()
        self.port = 0
        self._random = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self, port: int = 0, ssl_context: Any = None) -> FaultyServer:
        self.port, self._ssl = port, ssl_context
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def stop(self) -> None:
        async def end() -> None:
            assert self._runner is not None
            await self._runner.cleanup()

        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(end(), self._loop).result(20)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(20)

    def __enter__(self) -> FaultyServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)

        async def begin() -> None:
            app = web.Application(client_max_size=8 << 20)
            app.router.add_get("/v1/models", self._models)
            app.router.add_post("/v1/chat/completions", self._chat)
            self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
            await self._runner.setup()
            site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._ssl, reuse_address=True)
            await site.start()
            self.port = site._server.sockets[0].getsockname()[1]
            self._ready.set()

        self._loop.run_until_complete(begin())
        self._loop.run_forever()

    async def _models(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        if (refused := self._gate(request)) is not None:
            return refused
        if self.mode == "hang":
            await asyncio.sleep(3600)
        return web.json_response({"object": "list", "data": self.models})

    def _gate(self, request: web.Request) -> web.Response | None:
        if self.mode == "down":
            return web.json_response({"error": {"message": "down"}}, status=503)
        given = request.headers.get("Authorization", "")
        if self.mode == "unauthorized" or (self.key is not None and given != f"Bearer {self.key}"):
            said = f"no such key: {given}" if self.echo_key else "no such key"
            return web.json_response({"error": {"message": said}}, status=401)
        return None

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if self.keep_bodies:
            self.bodies.append(body)
        self.headers.append(dict(request.headers))
        del self.headers[:-20]
        if request.transport is not None:
            self.connections.add(id(request.transport))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._answer(request, body)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1

    async def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        named = re.findall(r"\brow-(\d+)\b", "".join(str(message["content"]) for message in body["messages"]))
        row = int(named[-1]) if named else -1
        self.attempts[row] += 1
        if (refused := self._gate(request)) is not None:
            self.counts[str(refused.status)] += 1
            return refused
        if self.mode == "hang":
            await asyncio.sleep(3600)
        if self.capacity is not None and self.in_flight > self.capacity:
            self.counts["over capacity"] += 1
            return web.json_response({"error": {"message": "slow down"}}, status=429)
        if body.get("model") not in [model["id"] for model in self.models]:
            return web.json_response(
                {"error": {"message": f"The model `{body.get('model')}` does not exist.", "code": 404}}, status=404
            )
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        fault = self.script.popleft() if self.script else self._drawn() if row >= 0 else None
        if fault is not None and fault != "none":
            self.counts[fault] += 1
            return await self._fault(request, fault, body, row)
        if self.fates and (fate := fate_of(row)) is not None:
            self.counts[fate] += 1
            return self._refused(fate, body, row)
        self.counts["answered"] += 1
        return web.json_response(completion(body, row, self.ignores))

    def _drawn(self) -> str | None:
        place = int(self._random.random() / self.share) if self.share else len(self.mix)
        return self.mix[place] if place < len(self.mix) else None

    def _refused(self, fate: str, body: dict[str, Any], row: int) -> web.Response:
        if fate == "context_overflow":
            said = "This model's maximum context length is 65536 tokens. However, your request has 70000 input tokens."
            return web.json_response({"error": {"message": said, "type": "BadRequestError", "code": 400}}, status=400)
        if fate == "engine":
            return web.json_response({"error": {"message": f"The model `{MODEL}` does not exist."}}, status=404)
        data = completion(body, row)
        for choice in data["choices"]:
            choice |= {"finish_reason": "content_filter", "message": {"role": "assistant", "content": ""}}
        return web.json_response(data)

    async def _fault(self, request: web.Request, fault: str, body: dict[str, Any], row: int) -> web.StreamResponse:
        good = json.dumps(completion(body, row)).encode()
        if fault == "429 seconds":
            return web.json_response({"error": "later"}, status=429, headers={"Retry-After": "0.05"})
        if fault == "429 date":
            when = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time()))
            return web.json_response({"error": "later"}, status=429, headers={"Retry-After": when})
        if fault.isdigit():
            return web.json_response({"error": {"message": f"fault {fault}"}}, status=int(fault))
        if fault == "reset":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if fault == "truncated":
            return web.Response(body=good[: len(good) // 2], content_type="application/json")
        if fault == "content type":
            return web.Response(body=b"data: " + good + b"\n\n", content_type="text/event-stream")
        if fault == "bad utf-8":
            return web.Response(
                body=good.replace(b'"content": "', b'"content": "\xff\xfe', 1), content_type="application/json"
            )
        if fault == "html":
            return web.Response(text="<html><title>502 Bad Gateway</title></html>", content_type="text/html")
        if fault == "shape":
            return web.json_response({"object": "chat.completion", "choices": [{"index": 0, "text": "hello"}]})
        if fault == "breaks the schema":
            data = completion(body, row)
            for choice in data["choices"]:
                choice["message"]["content"] = '{"critique":"I will not say.","label":"perhaps"}'
                choice["logprobs"] = None
            return web.json_response(data)
        if fault == "hang":
            await asyncio.sleep(3600)
        stream = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(good))})
        await stream.prepare(request)
        if fault == "reset in the body":
            await stream.write(good[:40])
            assert request.transport is not None
            request.transport.abort()
            return stream
        assert fault == "drip", fault
        for byte in good:
            await stream.write(bytes([byte]))
            await asyncio.sleep(0.2)
        return stream


def completion(body: dict[str, Any], row: int, ignores: set[str] = frozenset()) -> dict[str, Any]:  # type: ignore[assignment]
    """The right answer to a request."""
    count = 1 if "n" in ignores else body.get("n", 1)
    texts = [_text(body, row, 0 if "seed" in ignores else body.get("seed", 0) + i, ignores) for i in range(count)]
    cut = [_cut(pieces, body) for pieces, _ in texts]
    choices = []
    for index, ((pieces, slots), (kept, finish)) in enumerate(zip(texts, cut, strict=True)):
        del pieces
        shown = None
        if body.get("logprobs") and "logprobs" not in ignores:
            shown = {"content": [_entry(piece, slots.get(i), body) for i, piece in enumerate(kept)]}
        message = {"role": "assistant", "content": "".join(kept)}
        choices.append({"index": index, "message": message, "logprobs": shown, "finish_reason": finish})
    prompt = sum(len(str(message["content"])) for message in body["messages"]) // 4 + 8
    if body.get("continue_final_message") and "prefill" not in ignores:
        prompt -= 6
    written = sum(len(kept) for kept, _ in cut)
    usage = {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
    return {"id": "x", "object": "chat.completion", "model": MODEL, "choices": choices, "usage": usage}


def _cut(pieces: list[str], body: dict[str, Any]) -> tuple[list[str], str]:
    most = body.get("max_tokens", 16)
    return (pieces, "stop") if len(pieces) <= most else (pieces[:most], "length")


def _entry(piece: str, slot: dict[str, float] | None, body: dict[str, Any]) -> dict[str, Any]:
    ways = slot or {piece: 1.0}
    top = sorted(ways.items(), key=lambda item: -item[1])[: body.get("top_logprobs") or 0]
    if not slot:
        # Servers fill the list up with tokens that the grammar forbids.
        top += [(f"#{i}", 0.0) for i in range((body.get("top_logprobs") or 0) - len(top))]
    return {
        "token": piece,
        "logprob": math.log(ways[piece]),
        "bytes": list(piece.encode()),
        "top_logprobs": [
            {"token": text, "logprob": math.log(p) if p else -9999.0, "bytes": list(text.encode())} for text, p in top
        ],
    }


def _text(
    body: dict[str, Any], row: int, seed: int, ignores: set[str]
) -> tuple[list[str], dict[int, dict[str, float]]]:
    """The tokens of an answer, and the label probabilities at those that are a label."""
    asked = body.get("structured_outputs") or {}
    wanted = body.get("response_format") or {}
    if "regex" in asked and "regex" not in ignores:
        return _of_regex(asked["regex"], row, seed)
    if wanted.get("type") == "json_schema" and "json_schema" not in ignores:
        return _of_schema(wanted["json_schema"]["schema"], row, seed)
    if wanted.get("type") == "json_object" and "json_object" not in ignores:
        return list('{"hello":"world"}'), {}
    return list(f"hello {random.Random(seed).getrandbits(64):x}"), {}


def _of_regex(pattern: str, row: int, seed: int) -> tuple[list[str], dict[int, dict[str, float]]]:
    if pattern.startswith("zq"):
        return list("zq123xj"), {}
    pieces: list[str] = []
    slots: dict[int, dict[str, float]] = {}
    for part in re.split(r"(\0|\((?:[^()\\]|\\.)*\))", pattern.replace(STRING_BODY, "\0")):
        if part == "\0":
            pieces += re.findall(r"\w+|\W", critique_of(row, seed))
        elif part.startswith("("):
            labels = [re.sub(r"\\(.)", r"\1", label) for label in re.split(r"(?<!\\)\|", part[1:-1])]
            said = label_of(row, labels)
            slots[len(pieces)] = {label: SURE if label == said else (1 - SURE) / (len(labels) - 1) for label in labels}
            pieces.append(said)
        elif part:
            pieces.append(re.sub(r"\\(.)", r"\1", part))
    return pieces, slots


def _of_schema(schema: dict[str, Any], row: int, seed: int) -> tuple[list[str], dict[int, dict[str, float]]]:
    from genrm.compiler.output import OutputPlan

    fields = schema["properties"]
    if "zqj" in fields:
        return list('{"zqj": "wvx"}'), {}
    objects = {"x": schema} if "label" in fields else fields
    slots = {name: tuple(item["properties"]["label"]["enum"]) for name, item in objects.items()}
    critique = "critique" in next(iter(objects.values()))["properties"]
    return _of_regex(OutputPlan(slots, 0, critique).regex, row, seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--share", type=float, default=0.0, help="of the requests, for each fault")
    parser.add_argument("--fates", action="store_true", help="some rows are refused for good")
    given = parser.parse_args()
    server = FaultyServer(share=given.share, fates=given.fates).start(given.port)
    print(server.url, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
