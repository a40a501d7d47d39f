"""One vote being written: a small state machine over the parts of the output plan, as a generator.

    >>> moves = Writer(plan, vocabulary, seed=0, temperature=1.0).moves()                    # doctest: +SKIP
    >>> next(moves)                                                                          # doctest: +SKIP
    Draw(mask=array([...]), uniform=0.93, temperature=1.0)

It yields what it needs and gets the answer sent back: a :class:`Draw` or :class:`Read` asks about the logits at hand,
a plain int is the next token of this row, fed to the model before the next question. What it returns is the
completion. It knows no model and no batch.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from typing import Any

from genrm.compiler.output import FREE_TEXT, Choice, Free, Literal, OutputPlan, Part, Text, Thinking
from genrm.engines.base import Completion, SlotReading, TextToken, Usage
from genrm.engines.labels import json_body
from genrm.engines.local.sampling import Draw, Drawn, Read, Uniforms
from genrm.engines.local.vocabulary import BODY, Vocabulary

Move = Draw | Read | int
Moves = Generator[Move, Any, Completion]
Talk = Generator[Move, Any, None]

_WHOLE = re.compile(BODY)


class Writer:
    """Writes one output of ``plan``.

    Attributes:
        lead: tokens that open every output of the plan; they are read together with the prompt.
    """

    def __init__(self, plan: OutputPlan, vocabulary: Vocabulary, *, seed: int, temperature: float) -> None:
        self.lead: tuple[int, ...] = ()
        self._parts = plan.parts
        self._vocabulary = vocabulary
        self._uniform = Uniforms(seed)
        self._temperature = temperature
        self._text: list[str] = []
        # Tokens that are certain but not fed yet: whatever the last question does not need is never computed.
        self._owed: list[int] = []
        # Bytes of the next literal that the token closing a critique has spelled already.
        self._ahead = 0
        self._written = 0
        self._slots: dict[str, SlotReading] = {}
        self._tokens: dict[str, tuple[TextToken, ...]] = {}
        self._closed: list[str] = []
        self._thinking: str | None = None
        self._cut = False
        if isinstance(self._parts[0], Literal):
            self._text.append(self._parts[0].text)
            self._parts = self._parts[1:]
            self.lead = vocabulary.spell(self._text[0])
            self._written = len(self.lead)

    def moves(self) -> Moves:
        """Everything that happens, in order. To be started once."""
        following: tuple[Part | None, ...] = (*self._parts[1:], None)
        for part, after in zip(self._parts, following, strict=True):
            literal = after.text if isinstance(after, Literal) else '"'
            match part:
                case Literal(text):
                    self._text.append(text)
                    self._owed += self._vocabulary.spell(text.encode()[self._ahead :].decode())
                    self._ahead = 0
                case Text():
                    yield from self._flush()
                    yield from self._write(part, literal)
                case Choice():
                    yield from self._flush()
                    yield from self._choose(part, literal)
                case Thinking():
                    yield from self._think(part)
                case Free():
                    yield from self._write_freely(part)
        usage = Usage(requests=1, completion_tokens=self._written + len(self._owed))
        return Completion(
            "".join(self._text),
            usage,
            self._slots,
            self._tokens,
            cut=self._cut,
            closed=tuple(self._closed),
            thinking=self._thinking,
        )

    def _flush(self) -> Talk:
        owed, self._owed = self._owed, []
        for token in owed:
            yield from self._feed(token)

    def _feed(self, token: int) -> Talk:
        self._written += 1
        yield token

    def _write(self, part: Text, literal: str) -> Talk:
        # A token may run into the literal, but must not end inside one of its characters.
        ascii_part = literal[: next((i for i, char in enumerate(literal) if not char.isascii()), len(literal))]
        matcher = self._vocabulary.string_then(ascii_part)
        tokens: list[TextToken] = []
        body, escaped, end = b"", False, None
        while end is None and len(tokens) < part.max_tokens:
            drawn: Drawn = yield Draw(matcher.mask(), self._uniform(), self._temperature)
            matcher.take(drawn.token)
            tokens.append(self._token(drawn))
            piece = self._vocabulary.piece(drawn.token)
            end, escaped = _closing_quote(piece, escaped)
            if end is not None:
                end += len(body)
            body += piece
            yield from self._feed(drawn.token)
        self._tokens[part.name] = tuple(tokens)
        if end is None:
            self._closed.append(part.name)
        else:
            self._ahead = len(body) - end
        # A forced end may cut a character or an escape in two; its first half is no text.
        whole = _WHOLE.match(body[:end].decode(errors="ignore"))
        self._text.append(whole.group() if whole else "")

    def _token(self, drawn: Drawn) -> TextToken:
        alternatives: dict[str, float] = {}
        for token, p in drawn.likely:
            text = self._spelled(token)
            alternatives[text] = alternatives.get(text, 0.0) + p
        return TextToken(self._spelled(drawn.token), drawn.p, alternatives)

    def _spelled(self, token: int) -> str:
        return self._vocabulary.piece(token).decode(errors="replace")

    def _choose(self, part: Choice, literal: str) -> Talk:
        tree = self._vocabulary.tree(part.labels, literal)
        masses: list[list[float]] = yield Read(tree.branches)
        p, outside = tree.distribution(masses)
        label = pick(p, self._uniform(), self._temperature)
        self._slots[part.slot] = SlotReading(p, outside)
        self._text.append(json_body(label))
        self._owed += tree.tokens[label]

    def _think(self, part: Thinking) -> Talk:
        thought, end, ended = b"", part.end.encode(), False
        for _ in range(part.max_tokens):
            drawn: Drawn = yield Draw(None, self._uniform(), self._temperature)
            # A model that ends its turn has thought enough; the verdict is still to come.
            if drawn.token in self._vocabulary.end_ids:
                break
            thought += self._vocabulary.piece(drawn.token)
            yield from self._feed(drawn.token)
            if end in thought:
                ended = True
                break
        else:
            self._closed.append("thinking")
        if not ended:
            self._owed += self._vocabulary.encode(part.end)
        self._thinking = thought.partition(end)[0].decode(errors="ignore")

    def _write_freely(self, part: Free) -> Talk:
        tokens: list[TextToken] = []
        body = b""
        for _ in range(part.max_tokens):
            drawn: Drawn = yield Draw(None, self._uniform(), self._temperature)
            if drawn.token in self._vocabulary.end_ids:
                break
            body += self._vocabulary.piece(drawn.token)
            if part.logprobs:
                tokens.append(self._token(drawn))
            yield from self._feed(drawn.token)
        else:
            self._cut = True
        self._text.append(body.decode(errors="ignore" if self._cut else "replace"))
        if part.logprobs:
            self._tokens[FREE_TEXT] = tuple(tokens)


def pick(p: Mapping[str, float], uniform: float, temperature: float) -> str:
    """A label by its probability at a temperature; at 0 the most likely one, and of several the first."""
    top = max(p, key=lambda label: p[label])
    if temperature == 0:
        return top
    # Relative to the top, so that a small temperature cannot make every weight vanish.
    weights = {label: (weight / p[top]) ** (1.0 / temperature) for label, weight in p.items()}
    left = uniform * sum(weights.values())
    for label, weight in weights.items():
        left -= weight
        if left < 0:
            return label
    return top


def _closing_quote(piece: bytes, escaped: bool) -> tuple[int | None, bool]:
    """Where an unescaped quote stands in ``piece``, and whether its last byte escapes what comes next."""
    for index, byte in enumerate(piece):
        if escaped:
            escaped = False
        elif byte == ord('"'):
            return index, False
        else:
            escaped = byte == ord("\\")
    return None, escaped
