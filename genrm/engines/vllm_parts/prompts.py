"""From a call to the tokens of its prompt: the chat template, then what the judge's turn begins with.

    >>> Prompts(chat, vocabulary).tokens(call)                                               # doctest: +SKIP
    [1, 482, 17, 2]

The template is applied here and the model is given tokens, so the same text is checked for control tokens, counted
and read. A prefill is spelled by plain tokens, whatever stands in it; only its thinking marks are control tokens.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from genrm.engines.calls.call import Call
from genrm.engines.chat import Chat

if TYPE_CHECKING:
    from genrm.engines.local.vocabulary import Vocabulary

THOUGHT = re.compile(r"(<(\w+)>)(.*?)(</\2>)", re.DOTALL)
"""A thinking part at the beginning of a prefill; a plan's own text begins with a brace."""


class Prompts:
    """Prompts for one model."""

    def __init__(self, chat: Chat, vocabulary: Vocabulary) -> None:
        self._chat = chat
        self._vocabulary = vocabulary

    def tokens(self, call: Call) -> list[int]:
        """The tokens up to where the answer begins.

        Raises:
            EngineError: the tokenizer cannot spell the prefill.
        """
        thought = THOUGHT.match(call.prefill)
        text = self._chat.render(call.messages, thinking=call.thinking is not None or thought is not None)
        if thought is None:
            return self._vocabulary.encode(text) + self.spelled(call.prefill)
        opening, _, body, end = thought.groups()
        # Some templates begin the thinking themselves.
        begun = text.rstrip().endswith(opening)
        return (
            self._vocabulary.encode(text if begun else text + opening)
            + self.spelled(body)
            + self.mark(end)
            + self.spelled(call.prefill[thought.end() :])
        )

    def spelled(self, text: str) -> list[int]:
        """A text by plain tokens."""
        return list(self._vocabulary.spell(text)) if text else []

    def mark(self, text: str) -> list[int]:
        """A thinking mark, by its control token where it has one."""
        return self._vocabulary.encode(text)
