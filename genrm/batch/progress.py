"""What a run tells people while it works: a bar on a terminal, a log line every few seconds elsewhere.

    >>> with reporter(bar=None) as report:                                                   # doctest: +SKIP
    ...     report.start(total=100, done=0)
    ...     report.advance(row)

Everything goes to standard error; standard output is for data.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

LOG_EVERY_S = 5.0


class Reporter:
    """Tells nothing but notes; the base of the others. Use it as a context manager."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.total: int | None = None
        self.done = 0
        self.fresh = 0
        self.failures = 0
        self.tokens = 0
        self.began = time.monotonic()

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def note(self, text: str) -> None:
        """Say something once."""
        print(f"genrm: {text}", file=self.stream, flush=True)

    def start(self, total: int | None, done: int) -> None:
        """Rows are about to be judged: how many there are, if known, and how many are finished already."""
        self.total, self.done, self.began = total, done, time.monotonic()

    def advance(self, row: Mapping[str, Any]) -> None:
        """One output row is written."""
        self.done += 1
        self.fresh += 1
        self.failures += row["reward"] is None
        usage = row["usage"]
        self.tokens += usage["prompt_tokens"] + usage["completion_tokens"]

    def stop(self) -> None:
        """No row comes any more."""

    @property
    def rate(self) -> float:
        """Rows of this run in a second."""
        return self.fresh / max(time.monotonic() - self.began, 1e-9)

    @property
    def left_s(self) -> float | None:
        """Seconds until the end at this rate; None while unknown."""
        return None if self.total is None or not self.fresh else max(self.total - self.done, 0) / self.rate

    def facts(self) -> str:
        """Rate, time left, failures and tokens as text."""
        left = "" if self.left_s is None else f" · {clock(self.left_s)} left"
        return f"{self.rate:.1f} rows/s{left} · {self.failures:,} failed · {short(self.tokens)} tokens"


class LogReporter(Reporter):
    """A plain line every few seconds, for logs."""

    def __init__(self, stream: TextIO | None = None, every_s: float = LOG_EVERY_S) -> None:
        super().__init__(stream)
        self.every_s = every_s
        self._spoken = time.monotonic()

    def advance(self, row: Mapping[str, Any]) -> None:
        super().advance(row)
        now = time.monotonic()
        if now - self._spoken >= self.every_s:
            self._spoken = now
            of = "" if self.total is None else f"/{self.total:,}"
            self.note(f"{self.done:,}{of} rows · {self.facts()}")


class BarReporter(Reporter):
    """A bar that redraws itself on a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskID, TextColumn

        self._console = Console(file=self.stream, highlight=False)
        self._bar = Progress(
            TextColumn("judging"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[facts]}"),
            console=self._console,
            refresh_per_second=8,
            transient=True,
        )
        self._task: TaskID | None = None

    def note(self, text: str) -> None:
        self._console.print(f"genrm: {text}", markup=False, soft_wrap=True)

    def start(self, total: int | None, done: int) -> None:
        super().start(total, done)
        self._task = self._bar.add_task("", total=total, completed=done, facts=self._facts())
        self._bar.start()

    def advance(self, row: Mapping[str, Any]) -> None:
        super().advance(row)
        if self._task is not None:
            self._bar.update(self._task, completed=self.done, facts=self._facts())

    def stop(self) -> None:
        self._bar.stop()

    def _facts(self) -> str:
        of = "" if self.total is None else f"/{self.total:,}"
        return f"{self.done:,}{of} · {self.facts()}" if self.fresh else f"{self.done:,}{of}"


def reporter(bar: bool | None = None, stream: TextIO | None = None) -> Reporter:
    """The reporter for a stream: by default a bar on a terminal and log lines elsewhere; ``bar=False`` for none."""
    stream = stream or sys.stderr
    if bar is False:
        return Reporter(stream)
    return BarReporter(stream) if stream.isatty() else LogReporter(stream)


def clock(seconds: float) -> str:
    """Seconds for people: ``0:07``, ``1:02:03``, ``3 d 04 h``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24:02d} h"
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def short(number: int) -> str:
    """A count for people: ``950``, ``12.3k``, ``4.5M``."""
    if number < 1000:
        return str(number)
    value = number / 1000
    for suffix in ("k", "M", "G"):
        if value < 999.95:
            return f"{value:.1f}{suffix}"
        value /= 1000
    return f"{value:.1f}T"
