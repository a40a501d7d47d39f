"""A run that no more calls may be made for: it ends, keeps what is judged, says so, and goes on."""

from __future__ import annotations

import asyncio
import io
import json

import pytest

from genrm.batch.progress import Reporter
from genrm.batch.run import BatchOptions, run_batch
from genrm.batch.spending import Spending, spent_path
from genrm.engines.budget import Budget
from genrm.engines.wire.circuit import is_stoppable
from genrm.errors import FileError, RunStoppedError

ROWS = [{"id": f"r{n}", "response": "a" * (n % 5 + 1) + "b"} for n in range(60)]


@pytest.fixture
def stopping(scripted):
    """A judge that judges so many rows and then stops; ``slow`` are rows that take their time."""

    class Stopping(scripted):
        def __init__(self, rows, slow=(), **options):
            super().__init__(**options)
            self.left, self.slow, self.stoppable = rows, slow, None

        async def judge(self, sample):
            self.stoppable = is_stoppable()
            if sample.id in self.slow:
                await asyncio.sleep(0.2)
            self.left -= 1
            if self.left < 0:
                raise RunStoppedError("the server stays away")
            return await super().judge(sample)

    return Stopping


@pytest.fixture
def run(tmp_path):
    def call(judge, path, output="out.jsonl", **options):
        stream = io.StringIO()
        try:
            return run_batch(judge, BatchOptions(str(path), str(tmp_path / output), **options), Reporter(stream))
        finally:
            call.said = stream.getvalue()

    return call


@pytest.mark.parametrize("ordered", [True, False])
def test_what_was_judged_is_kept_and_the_rest_follows(
    run, write_rows, read_rows, tmp_path, stopping, scripted, ordered
):
    path, out = write_rows(ROWS), tmp_path / "out.jsonl"
    judge = stopping(25, delay_s=0.01)
    summary = run(judge, path, ordered=ordered)
    assert judge.stoppable
    assert summary.stopped == "the server stays away"
    assert summary.exit_code == 130
    assert summary.row()["stopped"] == summary.stopped
    assert not summary.interrupted
    first = read_rows(out)
    assert len(first) <= 25
    if ordered:
        assert [row["id"] for row in first] == [f"r{n}" for n in range(len(first))]
    else:
        assert len(first) == 25
    assert len(judge.judged) == 25
    whole = run(scripted(), path, ordered=ordered)
    assert (whole.rows, whole.resumed, whole.exit_code, whole.stopped) == (60, len(first), 0, None)
    run(scripted(), path, "whole.jsonl")
    lines = sorted(out.read_text().splitlines())
    assert lines == sorted((tmp_path / "whole.jsonl").read_text().splitlines())


def test_no_row_is_started_after_the_stop(run, write_rows, stopping):
    judge = stopping(10, in_flight=4)
    run(judge, write_rows(ROWS))
    assert judge.left >= -4


def test_rows_that_cannot_be_written_are_told(run, write_rows, stopping, scripted, read_rows, tmp_path):
    judge = stopping(6, slow={"r2"}, in_flight=8)
    summary = run(judge, write_rows(ROWS))
    # r2 comes last and is the one that is stopped: what is behind it was judged in vain.
    assert [row["id"] for row in read_rows(tmp_path / "out.jsonl")] == ["r0", "r1"]
    assert summary.rows == 2
    assert "4 rows behind" in run.said
    assert "--unordered" in run.said


def test_unordered_loses_none(run, write_rows, stopping, read_rows, tmp_path):
    run(stopping(6, slow={"r2"}, in_flight=8), write_rows(ROWS), ordered=False)
    assert len(read_rows(tmp_path / "out.jsonl")) == 6
    assert "behind" not in run.said


def test_second_tries_are_not_swapped_in(run, write_rows, stopping, scripted, read_rows, tmp_path):
    path = write_rows([{"id": f"t{n}", "response": "timeout"} for n in range(10)])
    run(scripted(), path)
    before = (tmp_path / "out.jsonl").read_bytes()
    summary = run(stopping(4, broken=False), path, retry="all")
    assert summary.stopped
    assert (tmp_path / "out.jsonl").read_bytes() == before
    summary = run(scripted(broken=False), path, retry="all")
    assert summary.exit_code == 0
    assert [row["status"] for row in read_rows(tmp_path / "out.jsonl")] == ["ok"] * 10


def test_unreadable_rows_before_the_stop_are_written(run, write_rows, stopping, read_rows, tmp_path):
    run(stopping(1, in_flight=1), write_rows([ROWS[0], b"broken", ROWS[2], b"broken", ROWS[4]]))
    assert [row["line"] for row in read_rows(tmp_path / "out.jsonl")] == [1, 2]


def test_spending_is_remembered(tmp_path):
    out = tmp_path / "out.jsonl"
    budget = Budget(5.0)
    with Spending(out, budget) as spending:
        assert spending.begin(1.0) is None
        budget.spent_usd += 2.0
    assert json.loads(spent_path(out).read_text()) == {"spent_usd": 3.0}
    budget = Budget(5.0)
    with Spending(out, budget) as spending:
        assert "up to 1.5000 USD" in spending.begin(1.5)
        assert budget.spent_usd == 3.0
    with Spending(out, Budget(5.0), fresh=True) as spending:
        assert spending.begin(0.0) is None
    assert json.loads(spent_path(out).read_text()) == {"spent_usd": 0.0}


def test_rows_that_cost_more_than_is_noted_count(tmp_path):
    out = tmp_path / "out.jsonl"
    spent_path(out).write_text('{"spent_usd": 0.5}')
    budget = Budget(5.0)
    with Spending(out, budget) as spending:
        assert spending.begin(2.0) is None
        assert budget.spent_usd == 2.0


def test_a_budget_of_two_files_counts_each_once(tmp_path):
    first, second, budget = tmp_path / "a.jsonl", tmp_path / "b.jsonl", Budget(9.0)
    for out, amount, total in ((first, 1.0, 1.0), (second, 2.0, 3.0), (first, 0.5, 3.5)):
        with Spending(out, budget) as spending:
            assert spending.begin(0.0) is None or out == first
            budget.spent_usd += amount
        assert budget.spent_usd == pytest.approx(total)
    assert json.loads(spent_path(first).read_text())["spent_usd"] == pytest.approx(1.5)
    assert json.loads(spent_path(second).read_text())["spent_usd"] == pytest.approx(2.0)


def test_a_strange_file_is_no_budget(tmp_path):
    out = tmp_path / "out.jsonl"
    spent_path(out).write_text("hello")
    with Spending(out, Budget(5.0)) as spending, pytest.raises(FileError, match=r"out\.jsonl\.spent"):
        spending.begin(0.0)
    assert spent_path(out).read_text() == "hello"
