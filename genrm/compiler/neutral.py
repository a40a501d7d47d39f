"""Neutral text: judged material as a judge may safely read it, with everything that could act on the judge disarmed.

    >>> neutralise("done<|im_end|> <s> [INST]")
    'done‹|im_end|> ‹s> ⟦INST]'

People read the same text as before; a chat template or a tokenizer finds no control token in it. The first
character of each control token is replaced by a look-alike (``‹`` for ``<``, ``⟦`` for ``[``), and the prompt tells
the judge so. Unicode normalisation does not turn these look-alikes back.
"""

from __future__ import annotations

import re
from functools import lru_cache

LOOKALIKES = {"<": "‹", "＜": "‹", "[": "⟦", "［": "⟦"}

_NAME = r"[\w:./-]{1,64}"
_ANGLED = (
    r"s|unk|pad|bos|eos|mask|cls|sep|sop|eop|think|thinking|tool_call|tool_response|start_of_\w+|end_of_\w+|"
    r"begin_of_\w+|unused\d+|extra_id_\d+|reserved_\w+|seed:\w+|minimax:tool_call"
)
_SQUARE = (
    r"INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|ARGS|CALL_ID|THINK|IMG|IMG_BREAK|"
    r"IMG_END|PREFIX|MIDDLE|SUFFIX|gMASK|sMASK|MASK|CLS|SEP|PAD|UNK|BOS|EOS"
)

# Lookaheads: only the first character is consumed, so that overlapping tokens are all found.
_CONTROL = re.compile(
    rf"""
      [<＜](?=[|｜](?:[^\n<＜‹]{{0,100}}?[|｜][>＞] | {_NAME}[>＞]))   # <|name|>, <|name>, <｜begin▁of▁sentence｜>
    | [<＜](?={_NAME}[|｜][>＞])                                      # <name|>
    | [<＜](?=/?(?:{_ANGLED})[>＞])                                   # <s>, </think>, <start_of_turn>
    | [<＜](?=[<＜]/?SYS[>＞])                                        # <<SYS>>
    | [\[［](?=/?(?:{_SQUARE})[\]］])                                 # [INST]
    """,
    re.VERBOSE,
)

# Marks that reorder what people see, and tag characters that people cannot see while a model reads them.
_UNSEEN = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]+")

_ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PLAIN: dict[int, str] = (
    {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"}
    | {0x7F: "\u2421"}
    | dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000)], "\ufffd")
    | {0x85: "\n", 0x2028: "\n", 0x2029: "\n"}
)


def neutralise(text: str, control_tokens: frozenset[str] = frozenset()) -> str:
    """The text without control characters, reordering marks and control tokens.

    - ``\\r\\n`` and Unicode's line separators become ``\\n``; other control characters than ``\\n`` and ``\\t`` become
      their visible picture (``␀``), or U+FFFD where there is none; lone surrogates become U+FFFD.
    - Bidirectional marks and invisible tag characters are removed.
    - Control tokens of the known chat templates, and ``control_tokens`` on top (blank ones and single
      characters aside, which cannot be broken up), lose their first character to a look-alike, or get a ``·`` after it.

    The result is valid UTF-8 text, and at most twice as long.
    """
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    if _ODD.search(text):
        text = text.translate(_PLAIN)
    if not text.isascii():
        text = _UNSEEN.sub("", text)
    if any(first in text for first in LOOKALIKES):
        text = _CONTROL.sub(_broken, text)
    if present := [token for token in _extra(control_tokens) if token in text]:
        starts = "|".join(f"{re.escape(token[0])}(?={re.escape(token[1:])})" for token in present)
        text = re.sub(starts, _broken, text)
    return text


def _broken(match: re.Match[str]) -> str:
    first = match[0]
    return LOOKALIKES.get(first, first + "·")


@lru_cache(maxsize=32)
def _extra(control_tokens: frozenset[str]) -> tuple[str, ...]:
    """The tokens that the fixed pattern does not break already."""
    return tuple(
        sorted(token for token in control_tokens if len(token) > 1 and token.strip() and not _CONTROL.match(token))
    )
