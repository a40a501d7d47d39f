"""From the answer of a server to replies: texts, tokens as bytes, what was thought, what it cost.

    >>> data = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3}}
    >>> read(data, 1)[0].text
    'Hi'

A shape that no chat completion has is a :class:`ShapeError`, and the client makes a fault of it. What servers differ
in is settled here: the name of the thinking part, tokens of half a character, the end token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genrm.engines.base import Usage
from genrm.engines.calls.call import Reply, Token
from genrm.errors import EngineError, JudgeError, RefusedError, excerpt

HALF = "�".encode()
"""What servers write for a token that is no whole character."""
FORBIDDEN = -1000.0
"""Log-probabilities below this stand for minus infinity: vLLM writes -9999.0."""


class ShapeError(ValueError):
    """An answer is JSON and no chat completion."""


def read(data: Any, count: int, *, began: float | None = None) -> list[Reply | JudgeError]:
    """The replies of one answer, in order.

    Args:
        count: texts that were asked for; where the server gave fewer, an error stands in their place.
        began: as in :class:`Reply`.

    Raises:
        ShapeError: the answer is no chat completion.
    """
    choices = data.get("choices") if isinstance(data, dict) else None
    if not isinstance(choices, list) or not choices:
        raise ShapeError("no chat completion: 'choices' is missing or empty")
    if len(choices) > 1:
        choices = sorted(choices, key=lambda choice: choice.get("index", 0) if isinstance(choice, dict) else 0)
    usages = usage_of(data.get("usage"), min(len(choices), count))
    replies: list[Reply | JudgeError]
    try:
        replies = [_reply(choice, usage, began) for choice, usage in zip(choices[:count], usages, strict=True)]
    except (KeyError, TypeError, AttributeError) as error:
        raise ShapeError(f"no chat completion: {type(error).__name__}: {error}") from None
    missing = count - len(replies)
    return replies + [EngineError(f"the server gave {len(choices)} texts of {count} that were asked for")] * missing


def usage_of(data: Any, count: int) -> list[Usage]:
    """The cost of each of so many texts; they add up to what the server says."""
    data = data if isinstance(data, Mapping) else {}
    details = data.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else None
    total = _whole(data.get("completion_tokens"))
    share, rest = divmod(total, count)
    # The prompt was read once for all of them, and the first one bears it.
    first = Usage(1, _whole(data.get("prompt_tokens")), _whole(cached), share + rest)
    return [first, *(Usage(completion_tokens=share) for _ in range(count - 1))]


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _reply(choice: Any, usage: Usage, began: float | None) -> Reply | JudgeError:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise ShapeError("no chat completion: a choice has no 'message'")
    finish, text = choice.get("finish_reason"), message.get("content")
    if finish == "content_filter":
        return RefusedError("the provider's content filter ended the answer")
    if message.get("refusal"):
        return RefusedError(f"the judge declined: {excerpt(message['refusal'], 200)}")
    thinking = message.get("reasoning_content") or message.get("reasoning")
    if text is None and (isinstance(thinking, str) or finish == "length"):
        text = ""
    if not isinstance(text, str):
        raise ShapeError(f"no chat completion: 'content' is {excerpt(text)}")
    shown = choice.get("logprobs")
    entries = shown.get("content") if isinstance(shown, dict) else None
    return Reply(
        text,
        finish="length" if finish == "length" else "stop",
        tokens=tokens_of(entries, text) if isinstance(entries, list) and entries else None,
        thinking=thinking if isinstance(thinking, str) else None,
        usage=usage,
        began=began,
    )


def tokens_of(entries: Sequence[Any], text: str) -> tuple[Token, ...] | None:
    """The tokens that make up a text; None when they cannot be brought into line with it.

    What stands before it (thinking) and behind it (the end token, a stop text) is left out.
    """
    pieces = [_bytes(entry) for entry in entries]
    wanted = text.encode()
    if not wanted:
        return ()
    start, lined = 0, _line_up(pieces, 0, wanted)
    if lined is None:
        # Behind a thinking part: the text begins at the last token from which on everything fits.
        for start in range(len(pieces) - 1, 0, -1):
            if pieces[start] and wanted.startswith(pieces[start]) and (lined := _line_up(pieces, start, wanted)):
                break
    if lined is None:
        return None
    return tuple(_token(entries[start + index], data) for index, data in enumerate(lined))


def _line_up(pieces: Sequence[bytes], start: int, wanted: bytes) -> list[bytes] | None:
    """The bytes of each token from ``start`` on, up to the end of the text; None when they are others.

    A run of tokens that are no whole characters shares the bytes up to the next clear token; its first has them all.
    """
    found: list[bytes] = []
    place, index, size = 0, start, len(wanted)
    while place < size:
        if index == len(pieces):
            return None
        piece = pieces[index]
        if wanted.startswith(piece, place):
            if place + len(piece) > size:
                return None
            found.append(piece)
            place += len(piece)
            index += 1
            continue
        if HALF not in piece:
            # A stop text may begin inside the last token.
            return [*found, wanted[place:]] if index == len(pieces) - 1 and piece.startswith(wanted[place:]) else None
        run = index
        while index < len(pieces) and (HALF in pieces[index] or not pieces[index]):
            index += 1
        clear = wanted.find(pieces[index], place + 1) if index < len(pieces) else -1
        end = clear if clear >= 0 else size
        found += [wanted[place:end], *[b""] * (index - run - 1)]
        place = end
    return found


def _token(entry: Any, data: bytes) -> Token:
    top = entry.get("top_logprobs") or ()
    return Token(
        data,
        float(entry["logprob"]),
        tuple((_bytes(other), other["logprob"]) for other in top if other["logprob"] > FORBIDDEN),
    )


def _bytes(entry: Any) -> bytes:
    values = entry.get("bytes")
    if values is not None:
        return bytes(values)
    token: str = entry["token"]
    return token.encode(errors="replace")
