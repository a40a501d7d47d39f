"""Every error that genrm raises, as one small tree.

    GenrmError
    ├── SpecError            a rubric (or another spec) is wrong: carries every fault found
    ├── InputError           an input row cannot be judged as it stands
    ├── MissingExtraError    an optional package is needed; names the extra that brings it
    ├── FileError            a file of rows cannot be read or written at all
    ├── RunStoppedError      no more calls may be made: the run ends, and can be resumed
    ├── ResumeError          an existing output does not belong to this command
    └── JudgeError           a judge was asked and gave no verdict
        ├── ContextOverflowError
        ├── TruncatedError
        ├── UnparseableError
        ├── RefusedError
        ├── DeadlineError
        ├── RateLimitedError
        └── EngineError

A failure is never turned into a number: it travels as one of these, and lands in an output row as
``{"category": …, "message": …, "retryable": …}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self, TypedDict

if TYPE_CHECKING:
    from genrm.engines.base import Usage

Category = Literal[
    "bad_input",
    "context_overflow",
    "truncated",
    "unparseable",
    "refused",
    "timeout",
    "rate_limited",
    "engine",
]


def excerpt(value: object, limit: int = 80) -> str:
    """A value as it stands in an error message: as Python writes it, cut to ``limit`` characters."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


class ErrorRow(TypedDict):
    """The ``error`` field of an output row."""

    category: Category
    message: str
    retryable: bool


class GenrmError(Exception):
    """Base of every error raised on purpose by genrm."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a spec file: where it is, what stands there, and what to write instead."""

    message: str
    file: str | None = None
    line: int | None = None
    field: str | None = None
    value: str | None = None
    fix: str | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        text = f"{place}: " if place else ""
        if self.field:
            text += f"{self.field}: "
        text += self.message
        if self.value is not None:
            text += f" (found {self.value})"
        if self.fix:
            text += f". Fix: {self.fix}"
        return text


class SpecError(GenrmError):
    """A rubric or another spec is wrong; ``faults`` holds every fault that was found, not only the first."""

    def __init__(self, faults: Sequence[Fault] | Fault | str) -> None:
        if isinstance(faults, str):
            faults = Fault(faults)
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.faults,)


class MissingExtraError(GenrmError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package, self.extra, self.purpose = package, extra, purpose
        super().__init__(f"{purpose} needs the package {package!r}. Fix: pip install 'genrm[{extra}]'")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.package, self.extra, self.purpose)


class FileError(GenrmError):
    """A file of rows cannot be read or written at all; what is wrong with one row is an :class:`InputError`."""


class RunStoppedError(GenrmError):
    """No more calls may be made: a budget is spent, or every call to a judge fails. The run can be resumed.

    It ends a run instead of failing its rows one by one; what was judged is kept.

    Attributes:
        go_on: how people resume the run.
        unwritten: rows that were judged, and paid for, behind the one that could not be: in an ordered run they have
            no place in the output yet, and are judged again.
    """

    def __init__(self, message: str, *, go_on: str = "the same command goes on from here") -> None:
        super().__init__(message)
        self.go_on = go_on
        self.unwritten = 0

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_stop, (str(self), self.go_on, self.unwritten)


def _rebuild_stop(message: str, go_on: str, unwritten: int) -> RunStoppedError:
    error = RunStoppedError(message, go_on=go_on)
    error.unwritten = unwritten
    return error


class ResumeError(GenrmError):
    """The output file that exists was written by another command, so going on would mix two runs."""


class RowError(GenrmError):
    """Base of the errors that concern one row; never raised itself.

    Attributes:
        usage: what was spent before it failed; None where nothing is known to have been.
    """

    category: ClassVar[Category] = "engine"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, retryable: bool | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.can_retry = self.retryable if retryable is None else retryable
        self.usage: Usage | None = None

    def spent(self, usage: Usage | None) -> Self:
        """This error, with what was spent on the way to it added to its usage."""
        if usage is not None:
            self.usage = usage if self.usage is None else self.usage + usage
        return self

    def row(self) -> ErrorRow:
        """This error as it stands in an output row."""
        return {"category": self.category, "message": self.message, "retryable": self.can_retry}

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.can_retry, self.usage)


def _rebuild(cls: type[RowError], message: str, retryable: bool, usage: Usage | None = None) -> RowError:
    return cls(message, retryable=retryable).spent(usage)


def row_error(stored: object) -> RowError | None:
    """The error behind the ``error`` field of an output row; None where there is none."""
    if not isinstance(stored, Mapping):
        return None
    known: list[type[RowError]] = [InputError, *JudgeError.__subclasses__()]
    kinds = {str(kind.category): kind for kind in known}
    kind = kinds.get(stored.get("category", ""), EngineError)
    return kind(str(stored.get("message", "")), retryable=bool(stored.get("retryable")))


class InputError(RowError):
    """An input row cannot be judged as it stands."""

    category: ClassVar[Category] = "bad_input"


class JudgeError(RowError):
    """A judge was asked and gave no verdict."""


class ContextOverflowError(JudgeError):
    """The compiled request is longer than the judge can read."""

    category: ClassVar[Category] = "context_overflow"


class TruncatedError(JudgeError):
    """The judge's output was cut before its verdict."""

    category: ClassVar[Category] = "truncated"


class UnparseableError(JudgeError):
    """The judge's output does not follow the grammar that it was given."""

    category: ClassVar[Category] = "unparseable"
    retryable: ClassVar[bool] = True


class RefusedError(JudgeError):
    """The judge or its provider declined to judge."""

    category: ClassVar[Category] = "refused"


class DeadlineError(JudgeError):
    """No verdict before the deadline."""

    category: ClassVar[Category] = "timeout"
    retryable: ClassVar[bool] = True


class RateLimitedError(JudgeError):
    """The provider asks to slow down."""

    category: ClassVar[Category] = "rate_limited"
    retryable: ClassVar[bool] = True


class EngineError(JudgeError):
    """The engine that runs the judge failed."""

    category: ClassVar[Category] = "engine"
    retryable: ClassVar[bool] = True
