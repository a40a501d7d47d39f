"""The run: what is read is judged and written once, in order, and a changed command is refused."""

from __future__ import annotations

import asyncio
import io
import json
import os
import random
from pathlib import Path

import pytest

from genrm.batch.fields import FieldMap
from genrm.batch.journal import Journal, manifest_path
from genrm.batch.progress import Reporter
from genrm.batch.retry import retry_path
from genrm.batch.run import BatchOptions, run_batch
from genrm.errors import FileError, ResumeError

GOOD = {"id": "g", "response": "banana"}
MIXED = [
    b"",
    {"response": "aaaa"},
    b"not json",
    {"id": "x", "response": "ab"},
    {"id": "t", "response": "timeout"},
    {"id": "x", "response": "again"},
    {"prompt": "no response"},
    {"id": "last", "response": "truncated"},
    b"",
]


@pytest.fixture
def run(tmp_path, scripted):
    """Run a batch; ``run.judge`` is the judge of the last one and ``run.said`` what people were told."""

    def call(path, output="out.jsonl", *, judge=None, **options):
        call.judge = judge or scripted(delay_s=0.002)
        stream = io.StringIO()
        output = output if output == "-" else str(tmp_path / output)
        try:
            return run_batch(call.judge, BatchOptions(str(path), output, **options), Reporter(stream))
        finally:
            call.said = stream.getvalue()

    return call


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out.jsonl"


def test_every_row_gets_one_row_in_order(run, write_rows, out, read_rows):
    summary = run(write_rows(MIXED))
    rows = read_rows(out)
    assert [(row["line"], row["id"], row["status"]) for row in rows] == [
        (1, "1", "failed"),
        (2, "2", "ok"),
        (3, "3", "failed"),
        (4, "x", "ok"),
        (5, "t", "failed"),
        (6, "x", "failed"),
        (7, "7", "failed"),
        (8, "last", "failed"),
    ]
    categories = [row["error"] and row["error"]["category"] for row in rows]
    assert categories == ["bad_input", None, "bad_input", None, "timeout", "bad_input", "bad_input", "truncated"]
    assert [row["reward"] for row in rows] == [None, 1.0, None, 0.5, None, None, None, None]
    assert (summary.rows, summary.no_reward, summary.exit_code) == (8, 6, 1)
    assert run.judge.judged == ["2", "x", "t", "last"]


def test_the_row_is_the_judgment_with_input_and_line(run, write_rows, out, read_rows):
    run(write_rows([GOOD]))
    (row,) = read_rows(out)
    assert list(row) == ["id", "status", "reward", "reward_std", "criteria", "judge", "usage", "error", "line"]
    assert row["judge"]["input"].startswith("sha256:")
    assert row["judge"]["engine"] == "scripted"


def test_unordered_has_the_same_rows(run, write_rows, out, read_rows):
    rows = [{"id": f"r{n}", "response": "a" * (n % 7 + 1) + "b"} for n in range(60)] + [b"bad", {"response": "ab"}]
    random.Random(1).shuffle(rows)
    run(write_rows(rows), "ordered.jsonl")
    run(write_rows(rows), ordered=False)
    ordered = read_rows(out.with_name("ordered.jsonl"))
    assert [row["line"] for row in ordered] == list(range(1, 63))
    unordered = read_rows(out)
    assert [row["line"] for row in unordered] != list(range(1, 63))
    assert sorted(unordered, key=lambda row: row["line"]) == ordered


def test_fields_and_limit(run, write_rows, out, read_rows):
    path = write_rows([{"q": "?", "a": {"text": "aa"}}] * 5)
    summary = run(path, fields=FieldMap.parse(["prompt=q", "response=a.text"]), limit=3)
    assert summary.rows == 3
    assert [row["reward"] for row in read_rows(out)] == [1.0] * 3


def test_many_bad_rows_behind_a_slow_one_do_not_pile_up(run, write_rows, out, read_rows):
    rows = [{"response": "slow"}] + [b"bad"] * 5000 + [GOOD]
    summary = run(write_rows(rows))
    assert summary.rows == 5002
    assert [row["line"] for row in read_rows(out)] == list(range(1, 5003))


def test_standard_output(run, write_rows, capfdbinary):
    run(write_rows([GOOD]), "-")
    assert json.loads(capfdbinary.readouterr().out)["id"] == "g"


def test_a_device_takes_rows_and_leaves_no_manifest(run, write_rows):
    assert run(write_rows([GOOD]), "/dev/null").rows == 1
    assert not Path("/dev/null.run.json").exists()


def test_no_rows_is_bad_input(run, write_rows, out):
    with pytest.raises(FileError, match="no rows"):
        run(write_rows([b"", b" "]))
    assert not out.exists()


def test_places_that_cannot_be_written(run, write_rows, tmp_path):
    path = write_rows([GOOD])
    for output, said in [
        ("missing/out.jsonl", "mkdir -p"),
        (".", "is a folder"),
        ("in.jsonl", "same file"),
        ("o.csv", "JSON lines"),
    ]:
        with pytest.raises(FileError, match=said):
            run(path, output)
    (tmp_path / "link.jsonl").symlink_to(path)
    with pytest.raises(FileError, match="same file"):
        run(path, "link.jsonl")


def test_rows_before_a_damage_are_kept(run, tmp_path, out, read_rows):
    import gzip

    rows = b"".join(json.dumps({"response": os.urandom(50).hex()}).encode() + b"\n" for _ in range(3000))
    (tmp_path / "in.jsonl.gz").write_bytes(gzip.compress(rows)[:-2000])
    with pytest.raises(FileError, match="any further"):
        run(tmp_path / "in.jsonl.gz", judge=None)
    lines = [row["line"] for row in read_rows(out)]
    assert lines == list(range(1, len(lines) + 1))
    assert len(lines) > 1000


# Going on


def rows_and_bytes(out: Path) -> bytes:
    return out.read_bytes()


def test_a_second_run_judges_nothing(run, write_rows, out):
    path = write_rows(MIXED)
    first = run(path)
    before = out.read_bytes()
    second = run(path)
    assert out.read_bytes() == before
    assert run.judge.judged == []
    assert (second.rows, second.resumed, second.no_reward) == (8, 8, 6)
    assert second.reward.mean == first.reward.mean
    assert "8 rows are finished" in run.said


@pytest.mark.parametrize("ordered", [True, False])
def test_every_cut_is_repaired(run, write_rows, out, ordered):
    path = write_rows([{"response": "a" * (n + 1) + "b"} for n in range(6)] + [b"bad"])
    run(path, ordered=ordered)
    whole = out.read_bytes()
    starts = [0, *(index + 1 for index, byte in enumerate(whole) if byte == 10)]
    for cut in sorted({*range(0, len(whole), 97), *starts, *(start - 1 for start in starts[1:])}):
        out.write_bytes(whole[:cut])
        run(path, ordered=ordered)
        assert sorted(out.read_bytes().splitlines()) == sorted(whole.splitlines())
        assert len(run.judge.judged) <= 6 - sum(b'"ok"' in line for line in whole[:cut].splitlines()[:-1])
        if ordered:
            assert out.read_bytes() == whole
        if cut not in starts and cut > 0:
            assert "cut in the middle" in run.said


def test_new_rows_at_the_end_of_the_input_are_judged(run, write_rows, out, read_rows):
    run(write_rows([{"response": "a"}, {"response": "b"}, b""]))
    summary = run(write_rows([{"response": "a"}, {"response": "b"}, {"response": "ab"}]))
    assert (summary.resumed, run.judge.judged) == (2, ["3"])
    assert [row["line"] for row in read_rows(out)] == [1, 2, 3]


def test_more_of_a_limited_run(run, write_rows):
    path = write_rows([{"response": "a"}] * 6)
    assert run(path, limit=2).rows == 2
    assert run(path, limit=4).resumed == 2
    assert run.judge.judged == ["3", "4"]
    assert run(path, limit=1).rows == 4


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda rows: [*rows[:3], {"response": "other"}, *rows[4:]], 4),
        (lambda rows: [*rows[:2], {"response": "new"}, *rows[2:]], 3),
        (lambda rows: [rows[1], rows[0], *rows[2:]], 1),
        (lambda rows: rows[:4], 5),
        (lambda rows: [*rows[:2], b"broken", *rows[3:]], 3),
        (lambda rows: [*rows[:4], b"", b""], 5),
    ],
)
def test_a_changed_input_is_refused_and_nothing_is_written(run, write_rows, out, change, line, ordered):
    rows = [{"response": "a" * (n + 1)} for n in range(6)]
    run(write_rows(rows), ordered=ordered)
    before = out.read_bytes()
    path = write_rows([*change(rows), {"response": "extra"}] if line != 5 else change(rows))
    with pytest.raises(ResumeError, match=rf"input line {line} .*--restart"):
        run(path, ordered=ordered)
    assert out.read_bytes() == before
    assert run.judge.judged == []


def test_a_changed_field_that_is_not_judged_is_no_change(run, write_rows):
    run(write_rows([{"response": "a", "note": 1}]))
    assert run(write_rows([{"note": 2, "response": "a"}])).resumed == 1


def test_a_changed_judge_is_refused_by_name(run, write_rows, scripted, out):
    path = write_rows([GOOD])
    run(path)
    before = out.read_bytes()
    with pytest.raises(ResumeError, match=r"seed: 0 → 7.*--restart"):
        run(path, judge=scripted(seed=7))
    with pytest.raises(ResumeError, match=r'fields: \{\} → \{"response": "response"\}'):
        run(path, fields=FieldMap.parse(["response=response"]))
    assert out.read_bytes() == before


def test_restart_overwrites_and_says_so(run, write_rows, scripted, out, read_rows):
    path = write_rows([GOOD])
    run(path)
    run(path, judge=scripted(seed=7), restart=True)
    assert [row["judge"]["seed"] for row in read_rows(out)] == [7]
    assert "overwriting" in run.said
    assert run(path, judge=scripted(seed=7)).resumed == 1


def test_files_of_others_are_not_touched(run, write_rows, out):
    path = write_rows([GOOD])
    out.write_text("my notes\n")
    with pytest.raises(ResumeError, match=r"out\.jsonl\.run\.json does not stand beside it"):
        run(path)
    assert out.read_text() == "my notes\n"
    run(path, restart=True)
    manifest_path(out).write_text("{")
    with pytest.raises(ResumeError, match="damaged"):
        run(path)


def test_a_foreign_line_in_the_middle_is_refused(run, write_rows, out):
    path = write_rows([{"response": "a"}, {"response": "b"}])
    run(path)
    first, second = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(first + b"{}\n" + second)
    with pytest.raises(ResumeError, match=r"out\.jsonl:2: this is no output row"):
        run(path)
    out.write_bytes(first + first + second)
    with pytest.raises(ResumeError, match="two rows for input line 1"):
        run(path)


def test_an_empty_output_is_a_new_one(run, write_rows, scripted, out):
    path = write_rows([GOOD])
    run(path)
    out.write_bytes(b"")
    assert run(path, judge=scripted(seed=9)).rows == 1


def test_two_processes_cannot_write_one_file(run, write_rows, out):
    with Journal.open(out, {"decides": {}}), pytest.raises(ResumeError, match="another process"):
        run(write_rows([GOOD]))


def test_surrogates_in_ids_come_back(run, write_rows, out, read_rows):
    path = write_rows([b'{"id":"\\ud83d","response":"a"}', GOOD])
    run(path)
    assert read_rows(out)[0]["id"] == "\ud83d"
    assert run(path).resumed == 2


# Trying again


def test_retry_judges_what_may_pass_again(run, write_rows, scripted, out, read_rows):
    path = write_rows(MIXED)
    run(path)
    before = read_rows(out)
    summary = run(path, judge=scripted(broken=False), retry="retryable")
    assert run.judge.judged == ["t"]
    after = read_rows(out)
    assert [row["line"] for row in after] == [row["line"] for row in before]
    assert [n for n in range(8) if before[n] != after[n]] == [4]
    assert after[4]["status"] == "ok"
    assert (summary.rows, summary.no_reward) == (8, 5)
    assert not retry_path(out).exists()
    assert run(path).rows == 8


def test_retry_all_and_unfinished_rows_in_one_go(run, write_rows, scripted, out, read_rows):
    path = write_rows(MIXED)
    run(path, limit=5, ordered=False)
    run(path, judge=scripted(broken=False), retry="all", ordered=False)
    assert sorted(run.judge.judged) == ["last", "t"]
    assert sorted(row["line"] for row in read_rows(out)) == list(range(1, 9))


def test_a_retry_goes_on_after_a_kill(run, write_rows, scripted, out, read_rows):
    path = write_rows([{"id": f"t{n}", "response": "timeout"} for n in range(5)])
    run(path)
    old = out.read_bytes()
    run(path, "other.jsonl", judge=scripted(broken=False))
    done = out.with_name("other.jsonl").read_bytes().splitlines(keepends=True)
    retry_path(out).write_bytes(b"".join(done[:2]) + done[2][:50])
    assert out.read_bytes() == old
    summary = run(path, judge=scripted(broken=False), retry="retryable")
    assert run.judge.judged == ["t2", "t3", "t4"]
    assert out.read_bytes() == b"".join(done)
    assert (summary.rows, summary.resumed, summary.no_reward) == (5, 2, 0)


# Faults of a judge


def test_a_judge_that_mixes_rows_up_is_found_out(run, write_rows, scripted):
    class Swapped(scripted):
        async def stream(self, rows, *, ordered=True):
            kept = [sample async for sample in rows]
            for sample in reversed(kept):
                yield await self.judge(sample)

    with pytest.raises(RuntimeError, match="'2' where '1' was due"):
        run(write_rows([{"response": "a"}, {"response": "b"}]), judge=Swapped())


def test_a_judge_that_drops_rows_is_found_out(run, write_rows, scripted):
    class Lazy(scripted):
        async def stream(self, rows, *, ordered=True):
            kept = [sample async for sample in rows]
            yield await self.judge(kept[0])

    with pytest.raises(RuntimeError, match="left 1 rows"):
        run(write_rows([{"response": "a"}, {"response": "b"}]), judge=Lazy())


def test_a_cancelled_run_is_not_taken_for_an_interrupt(run, write_rows, scripted):
    class Cancelled(scripted):
        async def stream(self, rows, *, ordered=True):
            raise asyncio.CancelledError
            yield

    with pytest.raises(asyncio.CancelledError):
        run(write_rows([GOOD]), judge=Cancelled())


def _old_tries(path, run, scripted, write_rows, rows):
    """The second tries of another run, killed before they were swapped in."""
    source = write_rows(rows, "other.jsonl")
    run(source, "other.out.jsonl", judge=scripted(seed=99))
    other = path.with_name("other.out.jsonl").read_bytes()
    retry_path(path).write_bytes(other)


def test_second_tries_do_not_outlive_their_output_file(run, write_rows, scripted, out, read_rows):
    rows = [{"id": "t", "response": "timeout"}, GOOD]
    _old_tries(out, run, scripted, write_rows, [{"id": "t", "response": "banana"}, GOOD])
    run(write_rows(rows))
    assert not retry_path(out).exists()


def test_second_tries_of_another_run_are_left_out(run, write_rows, scripted, out, read_rows):
    path = write_rows([{"id": "t", "response": "timeout"}, GOOD])
    run(path)
    _old_tries(out, run, scripted, write_rows, [{"id": "t", "response": "timeout"}, GOOD])
    run(path, judge=scripted(broken=False), retry="retryable")
    assert [row["judge"]["seed"] for row in read_rows(out)] == [0, 0]
    assert all(row["status"] == "ok" for row in read_rows(out))
