"""A mock of a chat-completion server for benchmarks of clients: canned answers, no model, as little work as possible.

    python benchmarks/mock_server.py [--port 0] [--top-logprobs 0]

It prints its address once it listens. An answer is a valid value of the JSON schema that was asked for
(``response_format`` or the first of ``tools``; "MET" or else the last label of an enum, the largest number), else a
text that ends in a verdict as Prometheus-style prompts ask for it. It speaks the OpenAI form at
``/v1/chat/completions`` and Gemini's at ``…:generateContent``. What it says means nothing: it is there to be as cheap
as a server can be, so that the work of the client is what limits a run.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

MODEL = "mock"
CRITIQUE = (
    "The response states the result, shows the steps that lead to it, and the last line holds under substitution."
)
PLAIN = f"{CRITIQUE} So the score is 5. [RESULT] 5"
LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
Pieces = list[tuple[str, list[str]]]
"""Tokens, each with the other labels that could stand in its place."""


def pieces_of(schema: dict[str, Any], root: dict[str, Any]) -> Pieces:
    """A value of the schema as tokens of JSON."""
    if "$ref" in schema:
        found: Any = root
        for step in schema["$ref"].lstrip("#/").split("/"):
            found = found[step]
        return pieces_of(found, root)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return pieces_of(schema[several][0], root)
    if "enum" in schema or "const" in schema:
        labels = [orjson.dumps(label).decode() for label in schema.get("enum") or [schema["const"]]]
        quoted = labels[-1].startswith('"')
        bare = [label.strip('"') for label in labels]
        said = "MET" if "MET" in bare else bare[-1]
        label = (said, [other for other in bare if other != said])
        return [('"', []), label, ('"', [])] if quoted else [label]
    match str(schema.get("type", "object")).lower():
        case "object":
            pieces: Pieces = [("{", [])]
            for index, (name, inner) in enumerate(schema.get("properties", {}).items()):
                pieces += [(("," if index else "") + f'"{name}":', []), *pieces_of(inner, root)]
            return [*pieces, ("}", [])]
        case "array":
            return [("[", []), *pieces_of(schema.get("items", {}), root), ("]", [])]
        case "boolean":
            return [("true", ["false"])]
        case "integer" | "number":
            return [(str(schema.get("maximum", 1)), [])]
        case "null":
            return [("null", [])]
    return [('"', []), *words(CRITIQUE), ('"', [])]


def words(text: str) -> Pieces:
    """A text as tokens of about the usual size."""
    return [(token, []) for token in re.findall(r" ?\S{1,6}", text)]


@lru_cache(maxsize=256)
def chat_answer(wanted: bytes, tools: bytes, count: int, top: int) -> bytes:
    """The HTTP answer to a chat completion with this ``response_format``, or with a call of this tool."""
    form = orjson.loads(wanted) if wanted else {}
    tool = orjson.loads(tools) if tools else None
    schema = tool["parameters"] if tool else (form.get("json_schema") or {}).get("schema")
    pieces = pieces_of(schema, schema) if schema else words(PLAIN)
    if form.get("type") == "json_object":
        pieces = words(orjson.dumps({"reason": CRITIQUE, "score": 5}).decode())
    text = "".join(token for token, _ in pieces)
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if tool:
        call = {"id": "call_0", "type": "function", "function": {"name": tool["name"], "arguments": text}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice: dict[str, Any] = {"message": message, "logprobs": None, "finish_reason": "tool_calls" if tool else "stop"}
    if top:
        choice["logprobs"] = {"content": [logprob(token, others, top) for token, others in pieces]}
    usage = {"prompt_tokens": 600, "completion_tokens": len(pieces) * count, "total_tokens": 600 + len(pieces) * count}
    return http(
        {
            "id": "chatcmpl-0",
            "object": "chat.completion",
            "created": 0,
            "model": MODEL,
            "choices": [{"index": index, **choice} for index in range(count)],
            "usage": usage,
        }
    )


def logprob(token: str, others: list[str], top: int) -> dict[str, Any]:
    """A token as the OpenAI form shows it: itself likeliest, then other labels, then tokens that nobody means."""
    names = [token, *others, *(f" other{index}" for index in range(top))][:top]
    shown = [entry(name, -0.1 - 2.0 * index) for index, name in enumerate(names)]
    return {**shown[0], "top_logprobs": shown}


def entry(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


@lru_cache(maxsize=256)
def gemini_answer(schema: bytes) -> bytes:
    """The HTTP answer to ``generateContent`` with this response schema."""
    wanted = orjson.loads(schema) if schema else {}
    text = "".join(token for token, _ in pieces_of(wanted, wanted)) if wanted else PLAIN
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": 600, "candidatesTokenCount": 30, "totalTokenCount": 630}
    return http({"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL})


def http(value: Any) -> bytes:
    body = orjson.dumps(value)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


MODELS = http({"object": "list", "data": [{"id": MODEL, "object": "model"}]})


class Connection(asyncio.Protocol):
    """HTTP/1.1 with bodies of known length, kept alive; one request after the other."""

    top_logprobs = 0
    requests = 0

    def __init__(self) -> None:
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            head = self._held[:end]
            length = LENGTH.search(head)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self._held) < size:
                return
            body, self._held = self._held[end + 4 : size], self._held[size:]
            self._transport.write(self.answer(head, body))

    def answer(self, head: bytes, body: bytes) -> bytes:
        if not body:
            return MODELS
        Connection.requests += 1
        asked = orjson.loads(body)
        if b":generateContent" in head[:200]:
            config = asked.get("generationConfig", {})
            schema = config.get("responseSchema") or config.get("responseJsonSchema")
            return gemini_answer(orjson.dumps(schema) if schema else b"")
        form, tools = asked.get("response_format"), asked.get("tools")
        top = min(asked.get("top_logprobs") or 0, self.top_logprobs) if asked.get("logprobs") else 0
        return chat_answer(
            orjson.dumps(form) if form else b"",
            orjson.dumps(tools[0]["function"]) if tools else b"",
            asked.get("n") or 1,
            top,
        )


@contextmanager
def running(*arguments: str) -> Iterator[str]:
    """The mock in a process of its own; the value is its address, ``http://127.0.0.1:PORT``."""
    command = [sys.executable, str(Path(__file__)), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            if not address:
                raise RuntimeError("the mock server did not start")
            yield address
        finally:
            server.terminate()


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--port", type=int, help="0 for any; without it nothing is started")
    options.add_argument("--top-logprobs", type=int, default=0, help="alternatives per token that it shows")
    given = options.parse_args()
    if given.port is None:
        print("this is a mock for the other benchmarks; --port 0 starts it")
        return
    Connection.top_logprobs = given.top_logprobs
    asyncio.run(serve(given.port))


if __name__ == "__main__":
    main()
