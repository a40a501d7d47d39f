"""What went wrong with an HTTP call, as one of genrm's errors: by exception, by status, by what the body says.

    >>> fault = of_response(503, {"Retry-After": "2"}, b"busy", "POST /v1/chat/completions")
    >>> fault.retry, fault.overload, fault.retry_after_s
    (True, True, 2.0)
    >>> str(fault)
    'POST /v1/chat/completions: HTTP 503: busy'

Messages name the path, the status and an excerpt of the body; never headers, and never the key, even where a server
repeats it.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from genrm.engines.wire.faults import AttemptError
from genrm.errors import ContextOverflowError, DeadlineError, EngineError, JudgeError, RateLimitedError, RefusedError

EXCERPT = 300
"""Characters of a body that an error message shows."""

OVERFLOW = re.compile(
    r"context[ _-]?(length|size|window)|maximum (model|context|input|prompt) length|longer than the (model|maximum)"
    r"|max_model_len|must have less than \d+ tokens|max_new_tokens`? must be <=|prompt (is )?too long"
    r"|(input|prompt) tokens?( count)? \(?\d*\)? ?exceed|too many (input )?tokens",
    re.IGNORECASE,
)
"""How vLLM, OpenAI, SGLang, TGI, llama.cpp and the gateways before them say that a prompt does not fit."""

FILTERED = re.compile(r"content[ _-]?(filter|policy|management)|responsible ?ai|moderation|flagged", re.IGNORECASE)
NO_MODEL = re.compile(
    r"model.{0,200}(not (be )?found|does ?n[o']t exist|unknown|not exist)|model_not_found", re.I | re.S
)
NO_QUOTA = re.compile(r"insufficient_quota|billing|credit balance|exceeded your current quota", re.IGNORECASE)

OVERLOAD = frozenset({408, 429, 503, 504, 529})
FOR_GOOD = frozenset({501, 505})


def of_response(
    status: int, headers: Mapping[str, str], body: bytes, where: str, *, key_env: str | None = None, secret: str = ""
) -> AttemptError:
    """The fault of an answer whose status is not 2xx.

    Args:
        where: method and path.
        key_env: name of the environment variable that the key comes from.
        secret: the key; it is struck out of the excerpt.
    """
    said = message_of(body, secret)
    text = f"{where}: HTTP {status}" + (f": {said}" if said else "")
    if status in (400, 413, 422, 500) and OVERFLOW.search(said):
        return _own(ContextOverflowError(text))
    if status in (400, 403, 422) and FILTERED.search(said):
        return _own(RefusedError(text))
    if status in (401, 403):
        hint = f"check the key in ${key_env}" if key_env else "name the variable that holds the key: --api-key-env NAME"
        return _for_good(EngineError(f"{text}. Fix: {hint}", retryable=False))
    if status == 413:
        return _own(ContextOverflowError(f"{text} (the request is larger than the server takes)"))
    if status == 404:
        fix = "a model that GET /models lists" if NO_MODEL.search(said) else "a base URL that ends in /v1"
        return _for_good(EngineError(f"{text}. Fix: use {fix}", retryable=False))
    if status == 429 and NO_QUOTA.search(said):
        return _for_good(RateLimitedError(text, retryable=False))
    if 300 <= status < 400:
        target = headers.get("Location", "")
        return _for_good(EngineError(f"{text}. It redirects to {target}; use that address", retryable=False))
    if status in (408, 409, 425, 429) or (status >= 500 and status not in FOR_GOOD):
        kind: type[JudgeError] = (
            RateLimitedError if status in (429, 529) else DeadlineError if status in (408, 504) else EngineError
        )
        return AttemptError(
            kind(text),
            retry=True,
            server=True,
            overload=status in OVERLOAD,
            retry_after_s=retry_after(headers),
        )
    return _own(EngineError(text, retryable=False))


def of_exception(error: BaseException, where: str) -> AttemptError:
    """The fault of a connection that could not be made or broke."""
    import aiohttp

    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        fix = "Fix: name the authority's certificate with ca_file=PATH, or verify_tls=false for a server of your own"
        return _for_good(EngineError(f"{where}: its certificate is not trusted: {error}. {fix}", retryable=False))
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return _for_good(
            EngineError(f"{where}: no TLS connection: {error}. Fix: http:// or https://?", retryable=False)
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return _broken(f"{where}: the name of the host cannot be resolved: {error}")
    if isinstance(error, aiohttp.ClientConnectorError):
        return _broken(f"{where}: no connection: {error.strerror or error}")
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | ConnectionError):
        return _broken(f"{where}: the connection broke in the middle of an answer: {text}")
    return _broken(f"{where}: {text}")


def of_body(why: str, body: bytes, kind: str, where: str, *, secret: str = "") -> AttemptError:
    """The fault of an answer with status 2xx that is none.

    Args:
        why: what is wrong with it.
        kind: its content type.
    """
    shown = f"content type {kind}, " if kind else ""
    return _broken(f"{where}: {why} ({shown}{len(body):,} bytes): {_clean(body, secret)}")


def message_of(body: bytes, secret: str = "") -> str:
    """What an error body says: its message and code where it is JSON as servers write it, else its beginning."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _clean(body, secret)
    error: Any = data.get("error", data) if isinstance(data, dict) else data
    if isinstance(error, dict):
        inner = error.get("message", error.get("detail"))
        parts = [inner if isinstance(inner, str) else None, error.get("code"), error.get("type")]
        said = " · ".join(dict.fromkeys(str(part) for part in parts if isinstance(part, str) and part))
        if said and inner:
            return _clean(said.encode(errors="replace"), secret)
    return _clean(error.encode(errors="replace") if isinstance(error, str) else body, secret)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait, at least 0; None when it does not say, or nothing sensible."""
    for name, unit in (("retry-after-ms", 1000.0), ("Retry-After", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) / unit
        except ValueError:
            try:
                seconds = parsedate_to_datetime(value).timestamp() - time.time()
            except (ValueError, TypeError, OverflowError):
                continue
        if seconds == seconds and seconds != float("inf"):
            return max(0.0, seconds)
    return None


def _clean(body: bytes, secret: str) -> str:
    # Cut first, generously: pages of an error can be long, and a key may stand at the cut.
    text = body[: 20 * EXCERPT].decode(errors="replace")
    if secret:
        text = text.replace(secret, "***")
    text = " ".join(text.split())
    return text if len(text) <= EXCERPT else text[: EXCERPT - 1] + "…"


def _own(error: JudgeError) -> AttemptError:
    return AttemptError(error, retry=False, server=False)


def _for_good(error: JudgeError) -> AttemptError:
    return AttemptError(error, retry=False, server=True)


def _broken(text: str) -> AttemptError:
    return AttemptError(EngineError(text), retry=True, server=True)
