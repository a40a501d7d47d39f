"""The run: rows are read, judged and written, a bounded number at a time, and what is written stays written.

    >>> from genrm import Judge
    >>> summary = run_batch(Judge("math-verify"), BatchOptions("in.jsonl", "out.jsonl"))      # doctest: +SKIP
    >>> summary.exit_code                                                                    # doctest: +SKIP
    0

A second run of the same options goes on where the first one stopped, whatever stopped it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from genrm.batch.intake import Item, intake
from genrm.batch.interrupt import until_signal
from genrm.batch.journal import Journal
from genrm.batch.options import BatchOptions as BatchOptions
from genrm.batch.output import Sink, StreamSink, check_output
from genrm.batch.progress import Reporter
from genrm.batch.pump import pump
from genrm.batch.readers import Source, open_source
from genrm.batch.resume import Lockstep
from genrm.batch.retry import Retries, retry_path
from genrm.batch.spending import Spending
from genrm.batch.summary import Summary
from genrm.engines.wire.circuit import stoppable
from genrm.errors import FileError, GenrmError, RunStoppedError
from genrm.judging.judgment import Judgment
from genrm.specs.sample import Sample

WAITING = 1024
"""Rows between reading and writing: so many may wait behind one slow row before no more are read."""


class StreamingJudge(Protocol):
    """What a run needs of a judge; :class:`genrm.judging.judge.Judge` is one."""

    @property
    def votes(self) -> int:
        """Verdicts per row."""

    def identity(self) -> Mapping[str, Any]:
        """Everything that decides a judgment."""

    def notices(self) -> list[str]:
        """What people are told once a run."""

    def stream(self, rows: AsyncIterator[Sample], *, ordered: bool = True) -> AsyncIterator[Judgment]:
        """Judgments of the rows; a failure is in the judgment."""


def run_batch(
    judge: StreamingJudge,
    options: BatchOptions,
    report: Reporter | None = None,
    *,
    on_row: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> Summary:
    """Judge a file. Call it from plain code: it runs an event loop of its own.

    In the main thread SIGINT and SIGTERM end the run early: the summary is then ``interrupted``, and the same
    options go on. So they do when no more calls may be made, because the judge's budget is spent or its server stays
    away: then ``stopped`` in the summary says why. ``on_row`` gets every row of the output, also the ones of an earlier
    run. A budget is for the whole output: what its rows have cost counts.

    Raises:
        FileError: the input or the output cannot be used, or the input has no rows.
        ResumeError: the output file belongs to another command, or the input has changed since.
    """
    report = report or Reporter()
    began = time.monotonic()
    summary = Summary()
    source = open_source(options.input, options.format)
    path = check_output(options.output, source)
    items = intake(source, options.fields, report.note)
    first = next(items, None)
    if first is None:
        raise FileError(f"{source.name}: there are no rows in it")
    for notice in judge.notices():
        report.note(notice)
    with ExitStack() as stack:
        run = _Run(judge, options, source, chain([first], items), summary, report, on_row)
        run.open(path, stack)
        report.start(run.total(), summary.rows)
        stack.callback(report.stop)
        stack.enter_context(stoppable())
        try:
            summary.interrupted = asyncio.run(until_signal(run.work()))
        except RunStoppedError as stop:
            summary.stopped, summary.go_on = str(stop), stop.go_on
            run.tell_unwritten(stop.unwritten)
        if not summary.unfinished:
            run.finish()
    summary.wall_s = time.monotonic() - began
    return summary


class _Run:
    """The state of one run; everything here happens on one event loop."""

    def __init__(
        self,
        judge: StreamingJudge,
        options: BatchOptions,
        source: Source,
        items: Iterator[Item],
        summary: Summary,
        report: Reporter,
        on_row: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self.judge, self.options, self.source, self.items = judge, options, source, items
        self.summary, self.report, self.on_row = summary, report, on_row
        self.identity = dict(judge.identity())
        self.journal: Journal | None = None
        self.retries: Retries | None = None
        self.lockstep = Lockstep(iter(()), "")
        self.sink: Sink
        self._failure: GenrmError | None = None
        self._room = asyncio.Event()
        # Rows between reading and writing: in input order, or by id when results come as they are ready.
        self._queue: deque[tuple[Item, bool]] = deque()
        self._by_id: dict[str, tuple[Item, bool]] = {}

    def open(self, path: Path | None, stack: ExitStack) -> None:
        """Open the output and find out what is finished; nothing is judged yet."""
        if path is None or (path.exists() and not path.is_file()):
            self.sink = stack.enter_context(StreamSink(path))
            return
        if self.options.restart and path.exists():
            self.report.note(f"--restart: overwriting {path} ({path.stat().st_size:,} bytes)")
        journal = Journal.open(path, self._manifest(), restart=self.options.restart, visit=self._visit)
        self.sink = self.journal = stack.enter_context(journal)
        if not journal.rows:
            # Second tries belong to an output file that is no more.
            retry_path(path).unlink(missing_ok=True)
        if journal.repaired:
            self.report.note(f"{path}: the last row was cut in the middle; it is judged anew")
        if journal.rows:
            self.report.note(f"{path}: {journal.rows:,} rows are finished; going on after them")
        if self.options.retry != "no":
            self.retries = Retries(path)
            self.retries.forget(lambda row: {**row["judge"], "input": ""} != {**self.identity, "input": ""})
            stack.callback(self.retries.close)
        if journal.rows and self.source.seekable and (self.retries is not None or not journal.ascending):
            # With gaps to fill, judging would begin before the last finished row has been compared.
            self._compare_all()
        self.lockstep = self._new_lockstep()
        if (budget := getattr(self.judge, "budget", None)) is not None:
            spending = stack.enter_context(Spending(journal.path, budget, fresh=self.options.restart))
            if (note := spending.begin(self.summary.cost_usd or 0.0)) is not None:
                self.report.note(note)

    def tell_unwritten(self, rows: int) -> None:
        """Say what a stop has cost: rows that are judged, and have no place in the output yet."""
        if rows:
            self.report.note(
                f"{rows:,} rows behind the one that could not be judged were ready; in order they cannot be written, "
                "so they will be judged again (with --unordered they are written, with --cache they cost nothing)"
            )

    def total(self) -> int | None:
        """Rows that the output will have, where that is cheap to know."""
        count, limit = self.source.count(), self.options.limit
        return count if limit is None else limit if count is None else min(count, limit)

    async def work(self) -> None:
        """Read, judge and write until the input ends."""
        async for judgment in self.judge.stream(self._feed(), ordered=self.options.ordered):
            item, again = self._take(judgment)
            self._write(item, again, judgment)
            self._settle()
        if self._failure is not None:
            raise self._failure
        if self._queue or self._by_id:
            raise RuntimeError(f"the judge left {len(self._queue) + len(self._by_id)} rows without a judgment")

    def finish(self) -> None:
        """Swap second tries into the output file."""
        if self.retries is not None and self.journal is not None:
            merged = self.retries.merge(self.options.again)
            if merged is not None:
                self.journal.adopt(merged)

    async def _feed(self) -> AsyncIterator[Sample]:
        """The samples that are to be judged. A fault of the file ends them; it is raised when all are written."""
        taken = 0
        try:
            async for item in pump(self.items, threaded=not self.source.seekable):
                finished = self.lockstep.match(item)
                if finished is None or (finished.again and not self._had_again(item)):
                    again = finished is not None
                    if item.sample is not None:
                        self._put(item, again)
                        yield item.sample
                    elif self.options.ordered:
                        self._put(item, again)
                        self._settle()
                    else:
                        self._write_fault(item, again)
                taken += 1
                if taken == self.options.limit:
                    return
                while len(self._queue) + len(self._by_id) >= WAITING:
                    self._room.clear()
                    await self._room.wait()
            self.lockstep.end()
        except GenrmError as error:
            self._failure = error

    def _put(self, item: Item, again: bool) -> None:
        if self.options.ordered:
            self._queue.append((item, again))
        else:
            self._by_id[item.id] = (item, again)

    def _take(self, judgment: Judgment) -> tuple[Item, bool]:
        """The row that a judgment belongs to."""
        if not self.options.ordered:
            return self._by_id.pop(judgment.id)
        item, again = self._queue.popleft()
        if item.id != judgment.id:
            raise RuntimeError(f"the judge returned row {judgment.id!r} where {item.id!r} was due")
        return item, again

    def _settle(self) -> None:
        """Write the unreadable rows whose turn has come."""
        while self._queue and self._queue[0][0].error is not None:
            self._write_fault(*self._queue.popleft())
        self._room.set()

    def _write_fault(self, item: Item, again: bool) -> None:
        self._write(item, again, Judgment(id=item.id, status="failed", judge=self.identity, error=item.error))

    def _write(self, item: Item, again: bool, judgment: Judgment) -> None:
        row = judgment.row()
        row["judge"] = {**row["judge"], "input": item.digest}
        row["line"] = item.line
        (self.retries if again and self.retries is not None else self.sink).append(row)
        self.summary.add(row)
        self.on_row(row)
        self.report.advance(row)

    def _had_again(self, item: Item) -> bool:
        """Whether an interrupted run has judged this failed row again already; its result is counted here."""
        row = None if self.retries is None else self.retries.get(item.line)
        if row is None or row["judge"]["input"] != item.digest:
            return False
        self.summary.add(row, resumed=True)
        self.on_row(row)
        return True

    def _visit(self, row: Mapping[str, Any]) -> None:
        if not self.options.again(row):
            self.summary.add(row, resumed=True)
            self.on_row(row)

    def _new_lockstep(self) -> Lockstep:
        if self.journal is None:
            return Lockstep(iter(()), "")
        return Lockstep(self.journal.finished(self.options.again), str(self.journal.path))

    def _compare_all(self) -> None:
        lockstep = self._new_lockstep()
        for count, item in enumerate(intake(self.source, self.options.fields), start=1):
            lockstep.match(item)
            if lockstep.done or count == self.options.limit:
                return
        lockstep.end()

    def _manifest(self) -> dict[str, Any]:
        from genrm import __version__

        return {
            "genrm": __version__,
            "input": {"path": self.source.name, "format": self.source.format},
            "decides": {"votes": self.judge.votes, **self.identity, "fields": dict(self.options.fields.paths)},
        }
