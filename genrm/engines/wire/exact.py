"""Exact label distributions from a vLLM server: the log-probabilities of named tokens, whatever their rank.

    >>> reading = await ExactSlots(post, "m").read(call, ("no", "yes"))                      # doctest: +SKIP

Under a grammar a server shows what is left after masking, and only the likeliest tokens. ``logprob_token_ids`` shows
the tokens that we ask for, before any mask. Which tokens spell a label is asked at ``/tokenize``, and the places where
labels part are read by one call each (:class:`genrm.engines.labels.LabelTree`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from genrm.engines.base import SlotReading
from genrm.engines.calls.call import Call
from genrm.engines.labels import Branch, LabelTree, Tokens, json_body, log_mass
from genrm.engines.wire.bodies import Dialect, build
from genrm.errors import EngineError

Post = Callable[[str, dict[str, Any], float | None], Awaitable[Any]]
"""Sends a body to a path within a deadline and returns the JSON answer."""

LEAD = '{"label":"'
ENDS = ('"', '"}', '"},', '"},"', '"}}', '"}\n', '",')
"""Ways on behind a label; tokens that begin them all close it."""
MOST_IDS = 128
"""vLLM takes no more token ids in one request."""


class ExactSlots:
    """Reads score slots through ``logprob_token_ids``; what it learns of the tokenizer it keeps."""

    def __init__(self, post: Post, dialect: Dialect) -> None:
        self._post, self._dialect = post, dialect
        self._spelled: dict[str, Tokens] = {}
        self._trees: dict[tuple[str, ...], tuple[LabelTree, list[str]]] = {}

    async def read(self, call: Call, labels: tuple[str, ...]) -> SlotReading:
        """The distribution behind ``call.prefill``, which ends at the opening quote of the label.

        Raises:
            JudgeError: the server does not say.
        """
        known = self._trees.get(labels)
        if known is None:
            known = self._trees[labels] = await self._tree(labels, call.timeout_s)
        tree, texts = known
        masses = await asyncio.gather(
            *(self._masses(call, text, branch) for text, branch in zip(texts, tree.branches, strict=True))
        )
        p, outside = tree.distribution(masses)
        return SlotReading(p, outside)

    async def logprobs(self, call: Call, tokens: Sequence[int]) -> dict[int, float]:
        """The log-probability of each token as the next one behind the prefill.

        Raises:
            EngineError: the server shows others.
        """
        found: dict[int, float] = {}
        for start in range(0, len(tokens), MOST_IDS):
            wanted = list(tokens[start : start + MOST_IDS])
            # Thinking is closed in the prefill; one token is all that is asked for, and none of it is used.
            body = build(replace(call, max_tokens=1, temperature=0.0, stop=(), constraint=None), self._dialect, seed=0)
            body |= {"logprobs": True, "top_logprobs": 0, "logprob_token_ids": wanted}
            data = await self._post("/chat/completions", body | {"return_tokens_as_token_ids": True}, call.timeout_s)
            try:
                [entry, *_] = data["choices"][0]["logprobs"]["content"]
                shown = {item["token"]: float(item["logprob"]) for item in [entry, *entry["top_logprobs"]]}
                found |= {token: shown[f"token_id:{token}"] for token in wanted}
            except (KeyError, IndexError, TypeError, ValueError):
                raise EngineError("the server does not show the tokens that were asked for", retryable=False) from None
        return found

    async def spell(self, text: str, timeout_s: float | None) -> Tokens:
        """The tokens of a text behind the opening quote of a label."""
        lead = await self._tokens(LEAD, timeout_s)
        whole = await self._tokens(LEAD + text, timeout_s)
        # Some tokenizers mark the beginning of a text; behind the quote there is none.
        return whole[len(lead) :] if whole[: len(lead)] == lead else await self._tokens(text, timeout_s)

    async def _tree(self, labels: tuple[str, ...], timeout_s: float | None) -> tuple[LabelTree, list[str]]:
        bodies = [json_body(label) for label in labels]
        spelled = await asyncio.gather(*(self.spell(text, timeout_s) for text in (*bodies, *ENDS)))
        tokens = dict(zip((*bodies, *ENDS), spelled, strict=True))
        close = tuple(dict.fromkeys(tokens[end][0] for end in ENDS))
        tree = LabelTree(labels, spell=lambda text: tokens[text], close=close)
        texts = await asyncio.gather(*(self._text(branch.prefix, timeout_s) for branch in tree.branches))
        return tree, list(texts)

    async def _masses(self, call: Call, text: str, branch: Branch) -> list[float]:
        ids = list(dict.fromkeys(token for edge in branch.edges for token in edge))
        found = await self.logprobs(replace(call, prefill=call.prefill + text), ids)
        return [log_mass([found[token] for token in edge]) for edge in branch.edges]

    async def _tokens(self, text: str, timeout_s: float | None) -> Tokens:
        if text not in self._spelled:
            body = {"model": self._dialect.model, "prompt": text, "add_special_tokens": False}
            data = await self._post("//tokenize", body, timeout_s)
            tokens = data.get("tokens") if isinstance(data, dict) else None
            if not isinstance(tokens, list) or not tokens or not all(isinstance(token, int) for token in tokens):
                raise EngineError(f"/tokenize gives no tokens of {text!r}", retryable=False)
            self._spelled[text] = tuple(tokens)
        return self._spelled[text]

    async def _text(self, prefix: Tokens, timeout_s: float | None) -> str:
        """The text of the first tokens of a label."""
        if not prefix:
            return ""
        lead = await self._tokens(LEAD, timeout_s)
        body = {"model": self._dialect.model, "tokens": [*lead, *prefix]}
        data = await self._post("//detokenize", body, timeout_s)
        text = data.get("prompt") if isinstance(data, dict) else None
        if not isinstance(text, str) or not text.startswith(LEAD) or "�" in text:
            raise EngineError("labels part in the middle of a character, which no prefill can hold", retryable=False)
        return text[len(LEAD) :]
