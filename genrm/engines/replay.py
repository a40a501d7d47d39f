"""The engine ``replay:FILE``: outputs that were recorded before, ours or those of other judges; no model is asked.

    >>> engine = ReplayEngine("records.jsonl")                                               # doctest: +SKIP
    >>> completions = await engine.complete(request)                                         # doctest: +SKIP

FILE holds one JSON object a line (``.jsonl``, ``.jsonl.gz``) or a list of them (``.json``): ``id`` and ``text``, and
where they apply ``vote``, ``criteria`` and what else :mod:`genrm.engines.records` names. A record answers for its
sample, vote and criteria, and for nothing else: what has no record fails.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Capabilities, Completion
from genrm.engines.model_card import ModelCard, parse_card
from genrm.engines.record_file import RecordFile
from genrm.engines.records import capabilities_of, outcome_of
from genrm.errors import EngineError, JudgeError

logger = logging.getLogger("genrm")


class ReplayEngine:
    """Recorded outputs as an engine.

    Args:
        source: the file.
        record: our field to its path in the file, for files whose records have no field ``text`` of their own; a
            verdict format brings it along (``record:`` in ``docs/formats.md``).

    Attributes:
        model: the file and a fingerprint of its content.
        card: of the judge whose outputs these are, where the recording says so.

    Raises:
        SpecError: the file is missing or unreadable, a line is no record, or two say different things about the same.
    """

    def __init__(self, source: str, *, record: Mapping[str, str] | None = None) -> None:
        self._file = RecordFile(Path(source), record)
        self._asked = False
        self.name = "replay"
        self.model = f"{source}:{self._file.fingerprint}"
        header = self._file.header
        self.card: ModelCard | None = None
        if header is None:
            # Records that each answer for one criterion were asked for one by one.
            self.capabilities = Capabilities(joint=not self._file.alone, probabilities=self._file.probabilities)
            return
        self.capabilities = capabilities_of(header)
        if header.get("card") is not None:
            self.card = parse_card(header["card"], file=source)

    async def complete(self, request: JudgeRequest) -> list[Completion | JudgeError]:
        """The recorded outcome of each vote; where there is none, an error that is not retryable."""
        self._asked = True
        return [self._outcome(request, request.first_vote + index) for index in range(len(request.seeds))]

    def count_tokens(self, text: str) -> None:
        """The tokenizer is not at hand."""

    async def aclose(self) -> None:
        """Close the file, and say how many of its records nobody asked for."""
        if self._file.close() and self._asked and self._file.unused:
            logger.warning(
                "%s: %d of %d recorded outputs were not asked for", self._file.path, self._file.unused, len(self._file)
            )

    def _outcome(self, request: JudgeRequest, vote: int) -> Completion | JudgeError:
        slots = tuple(request.output.slots)
        record = self._file.find(request.sample_id, vote, slots)
        what = f"sample {request.sample_id!r}, vote {vote}, criteria {', '.join(slots)}"
        if record is None:
            return EngineError(f"{self._file.path}: there is no recorded output for {what}", retryable=False)
        try:
            outcome = outcome_of(record)
            if isinstance(outcome, Completion):
                _check_labels(outcome, request)
            return outcome
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            problem = f"the record for {what} cannot be used: {error}"
            return EngineError(f"{self._file.path}: {problem}", retryable=False)


def _check_labels(completion: Completion, request: JudgeRequest) -> None:
    """Raise ValueError when a label distribution is over another scale than the one that is asked about."""
    for slot, reading in completion.slots.items():
        labels = request.output.slots.get(slot)
        if labels is not None and (stray := sorted(set(reading.p) - set(labels))):
            raise ValueError(f"slots.{slot} has the label {stray[0]!r}; the scale is {', '.join(labels)}")
