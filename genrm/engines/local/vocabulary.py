"""A tokenizer as bytes: what each token spells, how a text is spelled, and which tokens may come next in a JSON string.

    >>> vocabulary = Vocabulary(tokenizer, size=2048)                                        # doctest: +SKIP
    >>> vocabulary.spell('","label":"')                                                      # doctest: +SKIP
    [302, 4, 547, 418]

Everything that decoding forces or forbids goes through here, so that a text is always spelled by tokens that give
exactly its bytes, and never by a control token, whatever a label or an id looks like.
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genrm.engines.labels import LabelTree
from genrm.errors import EngineError, Fault, MissingExtraError, SpecError

if TYPE_CHECKING:
    from llguidance import LLMatcher

# The string body of the output plan, minus escaped surrogates: half a pair is no character, and no UTF-8 file takes it.
BODY = (
    r'([^"\\\x00-\x1F]|\\["\\/bfnrt]'
    r"|\\u([0-9A-Ca-cE-Fe-f][0-9A-Fa-f]{3}|[Dd][0-7][0-9A-Fa-f]{2}))*"
)


class Vocabulary:
    """The tokens of one model.

    Args:
        tokenizer: a fast tokenizer of transformers.
        size: width of the model's logits, which may be wider than the tokenizer's vocabulary.

    Raises:
        MissingExtraError: llguidance is not installed.
        SpecError: the tokenizer is of a kind that llguidance does not know.
    """

    def __init__(self, tokenizer: Any, size: int) -> None:
        try:
            import llguidance.hf
        except ImportError:
            raise MissingExtraError("llguidance", "local", "constrained decoding") from None
        self.size = size
        self.end_ids = _end_ids(tokenizer)
        self._backend = tokenizer.backend_tokenizer
        self._backend.no_truncation()
        self._backend.no_padding()
        try:
            self._grammar = llguidance.hf.from_tokenizer(tokenizer, n_vocab=size)
        except ValueError as error:
            raise SpecError(
                Fault(f"llguidance cannot use the model's tokenizer: {error}", field="model", fix="use another model")
            ) from error
        self._controls = set(tokenizer.get_added_vocab().values())
        self._known = len(tokenizer)
        self._matchers: dict[str, LLMatcher] = {}
        self._spelled = lru_cache(maxsize=4096)(self._find_spelling)
        self._tree = lru_cache(maxsize=1024)(
            lambda labels, literal: LabelTree(labels, self.spell, self.starting(literal))
        )

    def encode(self, text: str) -> list[int]:
        """Tokens of a rendered prompt: control tokens in it count, none is added."""
        return list(self._backend.encode(text, add_special_tokens=False).ids)

    def spell(self, text: str) -> tuple[int, ...]:
        """Plain tokens that give exactly the bytes of ``text``.

        Raises:
            EngineError: the vocabulary has none.
        """
        return self._spelled(text)

    def _find_spelling(self, text: str) -> tuple[int, ...]:
        wanted = text.encode()
        ways = (self.encode, self._grammar.tokenize_str, self._grammar.greedy_tokenize)
        for way in ways:
            tokens = tuple(way(text))
            if self._controls.isdisjoint(tokens) and self._grammar.decode_bytes(list(tokens)) == wanted:
                return tokens
        raise EngineError(f"the tokenizer cannot spell {text!r}", retryable=False)

    def piece(self, token: int) -> bytes:
        """What one token spells; nothing for the unused end of the vocabulary."""
        return bytes(self._grammar.decode_bytes([token])) if token < self._known else b""

    def starting(self, text: str) -> tuple[int, ...]:
        """Every plain token that spells a beginning of ``text``."""
        wanted = text.encode()
        return tuple(token for end in range(1, len(wanted) + 1) for token in self._by_piece.get(wanted[:end], ()))

    @cached_property
    def _by_piece(self) -> dict[bytes, list[int]]:
        pieces: dict[bytes, list[int]] = {}
        for token in range(min(self._known, self.size)):
            if token not in self._controls:
                pieces.setdefault(self.piece(token), []).append(token)
        return pieces

    def tree(self, labels: tuple[str, ...], literal: str) -> LabelTree:
        """The tree of a slot's labels when ``literal``, which begins with the closing quote, comes next."""
        return self._tree(labels, literal)

    def string_then(self, literal: str) -> StringMatcher:
        """A fresh matcher for the body of a JSON string that is followed by ``literal``."""
        from llguidance import LLMatcher

        if literal not in self._matchers:
            grammar = LLMatcher.grammar_from_regex(BODY + re.escape(literal))
            matcher = LLMatcher(self._grammar, grammar)
            if matcher.is_error():
                raise EngineError(f"the grammar was refused: {matcher.get_error()}", retryable=False)
            self._matchers[literal] = matcher
        return StringMatcher(self._matchers[literal].deep_copy(), words=(self.size + 31) // 32)


class StringMatcher:
    """Which tokens may come next in a JSON string."""

    def __init__(self, matcher: LLMatcher, words: int) -> None:
        self._matcher = matcher
        self._words = words

    def mask(self) -> NDArray[np.int32]:
        """Bit i of word w: token 32 w + i is legal; shape (ceil(vocabulary / 32),)."""
        # llguidance leaves room for one bit more.
        return np.frombuffer(self._matcher.compute_bitmask(), dtype=np.int32)[: self._words]

    def take(self, token: int) -> None:
        """Move on by a legal token.

        Raises:
            EngineError: the token is not legal.
        """
        if not self._matcher.consume_token(token):
            raise EngineError(f"the grammar refused a token: {self._matcher.get_error()}")


def _end_ids(tokenizer: Any) -> frozenset[int]:
    end = tokenizer.eos_token_id
    return frozenset() if end is None else frozenset([end] if isinstance(end, int) else end)
