"""A fake judge behind the OpenAI wire format: a random walk over what a request allows. It is no model.

    with serving_walk(Walk(Offers("regex", prefill=True))) as url: ...

It keeps to ``structured_outputs`` and ``response_format``, and knows ``n``, ``seed``, ``logprobs``, ``stop`` and a
begun answer. A prompt with REFUSE in it is refused as content filters do it, and one of more than 20,000 characters
is too long.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from walk_model import Walk

from genrm.compiler.output import STRING_BODY
from genrm.engines.base import Usage
from genrm.engines.calls.call import Call, Constraint

MODEL = "walk"
CONTEXT = 20_000


def language(schema: dict[str, Any]) -> str:
    """A schema of the kind that plans have, as a regular expression."""
    if schema["type"] == "object":
        assert schema["required"] == list(schema["properties"])
        inner = [re.escape(json.dumps(key) + ":") + language(value) for key, value in schema["properties"].items()]
        return r"\{" + ",".join(inner) + r"\}"
    if "enum" in schema:
        return "(" + "|".join(re.escape(json.dumps(label, ensure_ascii=False)) for label in schema["enum"]) + ")"
    return '"' + STRING_BODY + '"'


def _pattern(body: dict[str, Any]) -> str | None:
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return language(wanted["json_schema"]["schema"])
    found: str | None = (body.get("structured_outputs") or {}).get("regex")
    return found


def answer(walk: Walk, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Status and body of the answer to a request."""
    messages, prefill = body["messages"], ""
    text = "".join(str(message["content"]) for message in messages)
    if body.get("continue_final_message"):
        *messages, last = messages
        prefill = last["content"]
    if len(text) > CONTEXT:
        message = f"This model's maximum context length is {CONTEXT} tokens; your request has {len(text)}."
        return 400, {"error": {"message": message, "code": 400}}
    pattern = _pattern(body)
    stop = body.get("stop") or ()
    call = Call(
        tuple(messages),
        max_tokens=body.get("max_tokens") or body.get("max_completion_tokens"),
        prefill=prefill,
        constraint=Constraint(pattern) if pattern else None,
        temperature=body.get("temperature", 1.0),
        top_logprobs=body.get("top_logprobs") or 0,
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
    )
    seed, n = body.get("seed", 0), body.get("n", 1)
    texts = [walk.write(call, seed + index, Usage()) for index in range(n)]
    choices = []
    for index, reply in enumerate(texts):
        message, finish = {"role": "assistant", "content": reply.text}, reply.finish
        if "REFUSE" in text:
            message, finish = {"role": "assistant", "content": ""}, "content_filter"
        shown = None
        if reply.tokens and finish != "content_filter":
            shown = {"content": [_entry(token.data, token.logprob) | _top(token.top) for token in reply.tokens]}
        choices.append({"index": index, "message": message, "finish_reason": finish, "logprobs": shown})
    written = sum(reply.usage.completion_tokens for reply in texts)
    usage = {"prompt_tokens": len(text), "completion_tokens": written, "total_tokens": len(text) + written}
    answer = {"id": "x", "object": "chat.completion", "created": 0, "model": MODEL}
    return 200, answer | {"choices": choices, "usage": usage}


def _entry(data: bytes, logprob: float) -> dict[str, Any]:
    return {"token": data.decode(errors="replace"), "logprob": logprob, "bytes": list(data)}


def _top(top: tuple[tuple[bytes, float], ...]) -> dict[str, Any]:
    return {"top_logprobs": [_entry(data, logprob) for data, logprob in top]}


@contextmanager
def serving_walk(walk: Walk) -> Iterator[str]:
    """The URL, up to /v1, of a server in a thread of its own."""

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": MODEL, "max_model_len": CONTEXT}]})

    async def chat(request: web.Request) -> web.Response:
        status, found = await asyncio.to_thread(answer, walk, await request.json())
        return web.json_response(found, status=status)

    loop = asyncio.new_event_loop()
    app = web.Application(client_max_size=8 << 20)
    app.router.add_get("/v1/models", models)
    app.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)

    async def begin() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port: int = runner.addresses[0][1]
        return port

    async def end() -> None:
        await runner.cleanup()
        # Answers that nobody waits for any more are still being written.
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.gather(*left, return_exceptions=True)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    port = asyncio.run_coroutine_threadsafe(begin(), loop).result(30)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
