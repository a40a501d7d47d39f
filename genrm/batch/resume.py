"""Input and finished output side by side: which rows are done, and whether the input is still the same.

>>> lockstep = Lockstep(journal.finished(), "out.jsonl")                                 # doctest: +SKIP
>>> for item in items: lockstep.match(item)                                              # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterator

from genrm.batch.intake import Item
from genrm.batch.journal import RESTART, Finished
from genrm.errors import ResumeError


class Lockstep:
    """Walks the finished rows, which come by input line, beside the input."""

    def __init__(self, finished: Iterator[Finished], output: str) -> None:
        self._finished = finished
        self._output = output
        self._next = next(finished, None)

    @property
    def done(self) -> bool:
        """Every finished row has met its input row."""
        return self._next is None

    def match(self, item: Item) -> Finished | None:
        """The finished row of an input row, or None when there is none yet.

        Raises:
            ResumeError: the input row is not the one that was judged.
        """
        due = self._next
        if due is None or item.line < due.line:
            return None
        if item.line > due.line:
            raise self._changed(due.line, "no row begins there any more")
        if item.digest != due.digest:
            raise self._changed(due.line, f"{due.digest} → {item.digest}")
        self._next = next(self._finished, None)
        return due

    def end(self) -> None:
        """The input has ended. Raises ResumeError when a finished row has no input row."""
        if self._next is not None:
            raise self._changed(self._next.line, "the input ends before it")

    def _changed(self, line: int, what: str) -> ResumeError:
        return ResumeError(
            f"{self._output}: the input has changed since its rows were judged; the first difference is at input line "
            f"{line} ({what}). Fix: restore the input, or {RESTART.format(path=self._output)}"
        )
