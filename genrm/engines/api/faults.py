"""What litellm's exceptions mean: one of genrm's errors, whether to try again, and whether the call was billed.

    >>> fault = of_exception(error, Where("openai/gpt-4o-mini", ("OPENAI_API_KEY",)))        # doctest: +SKIP
    >>> fault.retry, billed(error)                                                           # doctest: +SKIP
    (True, False)

litellm maps what providers say to classes of its own with an HTTP status, also for what never had one: a refused
connection is an ``InternalServerError``. What really happened is then found in the chain of causes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from genrm.engines.api.model import load_litellm
from genrm.engines.wire import errors
from genrm.engines.wire.faults import AttemptError
from genrm.errors import ContextOverflowError, DeadlineError, EngineError, RefusedError, excerpt

_NOT_SENT = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ClientConnectorError", "gaierror"}
    | {"ClientConnectorDNSError", "ConnectionRefusedError", "LocalProtocolError"}
)
_CUT = frozenset(
    {"ReadError", "ReadTimeout", "WriteError", "WriteTimeout", "RemoteProtocolError", "ConnectionResetError"}
    | {"ServerDisconnectedError", "ClientPayloadError", "SocketTimeoutError", "DecodingError", "JSONDecodeError"}
)


@dataclass(frozen=True, slots=True)
class Where:
    """For messages: the model, the environment variables that hold its key, and the key, which is struck out."""

    model: str
    key_envs: tuple[str, ...] = ()
    secret: str = ""


def of_exception(error: Exception, where: Where) -> AttemptError:
    """The fault of a call that raised something."""
    litellm = load_litellm()
    text = _clean(error, where)
    status, headers = _answer(error)
    if isinstance(error, litellm.ContextWindowExceededError):
        return AttemptError(ContextOverflowError(text), retry=False, server=False)
    if isinstance(error, litellm.ContentPolicyViolationError):
        return AttemptError(RefusedError(text), retry=False, server=False)
    if status in (401, 403):
        # Providers repeat parts of the key, so nothing of what they say is shown.
        names = " or ".join(f"${name}" for name in where.key_envs) or "the provider's credentials"
        refused = f"{where.model}: the provider refuses the key (HTTP {status}). Fix: check {names}"
        return AttemptError(EngineError(refused, retryable=False), retry=False, server=True)
    if isinstance(error, litellm.Timeout | TimeoutError):
        return AttemptError(DeadlineError(text), retry=True, server=True, overload=True)
    if not sent(error) or _names(error) & _CUT:
        what = "the connection broke" if sent(error) else "no connection"
        return AttemptError(EngineError(f"{text} ({what})"), retry=True, server=True)
    if status is None:
        # Whatever else breaks inside litellm does so for this request alone.
        return AttemptError(EngineError(text, retryable=False), retry=False, server=False)
    if status == 404:
        missing = f"{text} (HTTP 404). Fix: check the name of the model, and api_base where it is given"
        return AttemptError(EngineError(missing, retryable=False), retry=False, server=True)
    return errors.of_response(status, headers, _said(error, where).encode(), where.model, secret=where.secret)


def billed(error: Exception) -> bool | None:
    """Whether a call that raised this costs money: providers bill no errors; None where nobody knows."""
    litellm = load_litellm()
    if not sent(error):
        return False
    if isinstance(error, litellm.Timeout | TimeoutError) or _names(error) & _CUT:
        return None
    return False if isinstance(getattr(error, "status_code", None), int) else None


def sent(error: BaseException) -> bool:
    """Whether the request may have reached the provider."""
    return not _names(error) & _NOT_SENT


def _names(error: BaseException) -> frozenset[str]:
    return frozenset(kind.__name__ for cause in _chain(error) for kind in type(cause).__mro__)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _answer(error: Exception) -> tuple[int | None, Mapping[str, str]]:
    """Status and headers of what the provider answered; litellm's own status, where there was no answer.

    litellm hands few headers on, and makes 500 of 529; the answer itself is among the causes.
    """
    for cause in _chain(error):
        response: Any = getattr(cause, "response", None)
        if type(cause).__name__ == "HTTPStatusError" and response is not None:
            # The wire's reader asks for the name as it is usually written; httpx has it in lower case.
            kept = {"Retry-After" if k.lower() == "retry-after" else k: v for k, v in response.headers.items()}
            return int(response.status_code), kept
    status = getattr(error, "status_code", None)
    return (status if isinstance(status, int) else None), {}


def _said(error: Exception, where: Where) -> str:
    text = str(getattr(error, "message", None) or error).strip() or type(error).__name__
    return text.replace(where.secret, "…") if where.secret else text


def _clean(error: Exception, where: Where) -> str:
    return f"{where.model}: {excerpt(_said(error, where), 400)[1:-1]}"
