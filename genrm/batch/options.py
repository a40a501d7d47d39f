"""What a run reads and writes, and which rows of an earlier run it judges again.

>>> BatchOptions("in.jsonl", "out.jsonl", retry="retryable").again({"error": {"retryable": True}})
True
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from genrm.batch.fields import FieldMap

Retry = Literal["no", "retryable", "all"]


@dataclass(frozen=True)
class BatchOptions:
    """What is read and written, and how.

    Attributes:
        input: a file, or ``-`` for standard input.
        output: a file that is written as JSON lines, or ``-`` for standard output.
        format: of the input; by its suffix when None.
        limit: only the first so many rows of the input.
        ordered: output rows in input order; else as they are ready.
        restart: overwrite the output instead of going on with it.
        retry: failed rows of the output to judge again: none, the ones whose error may pass, or all.
    """

    input: str
    output: str = "-"
    format: str | None = None
    fields: FieldMap = field(default_factory=FieldMap)
    limit: int | None = None
    ordered: bool = True
    restart: bool = False
    retry: Retry = "no"

    def again(self, row: Mapping[str, Any]) -> bool:
        """Whether an output row that is there already is to be judged once more."""
        error = row["error"]
        return self.retry != "no" and error is not None and (self.retry == "all" or bool(error["retryable"]))
