"""What a run has spent of its budget, beside the output in ``OUT.spent``: so that a killed one can be gone on with.

    >>> with Spending(Path("out.jsonl"), budget) as spending:                           # doctest: +SKIP
    ...     spending.begin(rows_cost)

The rows of the output say what they have cost, but not what was spent on calls whose row was never written: those in
flight when a process was killed, and rows behind the one where a run was stopped. Before every call the file is told
how much may be gone once it is made; at an orderly end, how much is gone.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from genrm.batch.journal import GOES_ON, write_all
from genrm.engines.budget import MARGIN, Budget
from genrm.errors import FileError

_WIDTH = 63
"""Characters of the file, so that one write replaces all of it."""


def spent_path(output: Path) -> Path:
    """``OUT.spent``: the money that is gone."""
    return output.with_name(output.name + ".spent")


class Spending:
    """The file of what is spent. The caller holds the lock of the output file.

    Args:
        output: the output file.
        budget: of the run.
        fresh: a run starts over: what an older file says is forgotten.

    Raises:
        FileError: it cannot be read or written.
    """

    def __init__(self, output: Path, budget: Budget, *, fresh: bool = False) -> None:
        self.path, self.budget, self._fresh = spent_path(output), budget, fresh
        self._begun = False
        # What the same judge has spent on other files.
        self._others = 0.0
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise FileError(f"{self.path}: cannot be written: {error.strerror}") from None

    def __enter__(self) -> Spending:
        return self

    def __exit__(self, *_: object) -> None:
        if self._begun:
            self.budget.watch = None
            self._write(self.budget.exposed_usd)
            self.budget.charged[str(self.path)] = self.budget.exposed_usd - self._others
        os.close(self._fd)

    def begin(self, rows_usd: float) -> str | None:
        """Charge the budget with what is gone already.

        Args:
            rows_usd: what the rows of the output have cost.

        Returns:
            What people should be told: more than that is gone, or may be.
        """
        noted = 0.0 if self._fresh else self._read()
        gone = max(noted, rows_usd)
        self.budget.spent_usd += max(gone - self.budget.charged.get(str(self.path), 0.0), 0.0)
        self._others = self.budget.exposed_usd - gone
        self._write(self.budget.exposed_usd)
        self.budget.watch = self._write
        self._begun = True
        if noted - rows_usd <= MARGIN * self.budget.limit_usd:
            return None
        return (
            f"{self.path}: calls without a row of their own may have cost up to {noted - rows_usd:.4f} USD; they count "
            "towards the budget (--restart forgets them, and all rows)"
        )

    def _read(self) -> float:
        text = os.pread(self._fd, 2 * _WIDTH, 0)
        if not text.strip():
            return 0.0
        try:
            return float(json.loads(text)["spent_usd"])
        except (ValueError, KeyError, TypeError):
            fix = "delete it, and what only it knows is forgotten"
            raise FileError(f"{self.path}: this is no file of what a run has spent. Fix: {fix}") from None

    def _write(self, exposed_usd: float) -> None:
        os.lseek(self._fd, 0, os.SEEK_SET)
        line = json.dumps({"spent_usd": exposed_usd - self._others}).ljust(_WIDTH) + "\n"
        write_all(self._fd, line.encode(), str(self.path), hint=GOES_ON)
