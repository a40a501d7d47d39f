"""Recordings: every answer is on disk before it is handed on, each counts once, and a replay gives the same rows."""

from __future__ import annotations

import asyncio
import fcntl
import json
import subprocess
import sys
import threading

import pytest

from genrm.compiler.output import plan_output
from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Capabilities, Completion, SlotReading, Usage
from genrm.engines.recorder import RecordingEngine
from genrm.engines.records import HEADER, outcome_of
from genrm.engines.replay import ReplayEngine
from genrm.errors import EngineError, JudgeError, SpecError

PLAN = plan_output({"correct": ("no", "yes")}, critique_tokens=8)


class Numbered:
    """No model: the text counts the calls; ``errors`` are raised in their place, by sample."""

    name, model, capabilities = "numbered", "numbered-1", Capabilities()

    def __init__(self, **errors):
        self.calls, self.errors, self.started, self.closed = 0, errors, 0, 0

    async def start(self):
        self.started += 1

    async def complete(self, request):
        self.calls += 1
        if (error := self.errors.get(request.sample_id)) is not None:
            raise error
        text = f'{{"critique":"call {self.calls} 😀","label":"yes"}}'
        slots = {"correct": SlotReading({"no": 1 / 3, "yes": 2 / 3}, 0.125)}
        return [Completion(text, Usage(requests=1, completion_tokens=3), slots) for _ in request.seeds]

    async def aclose(self):
        self.closed += 1


def request(sample, *, seeds=(0,), first_vote=0):
    return JudgeRequest(({"role": "user", "content": "?"},), PLAN, seeds, 1.0, sample_id=sample, first_vote=first_vote)


def record(path, *requests, engine=None, anew=False):
    """Record some requests, one after the other; the outcomes, errors included."""

    async def main():
        recorder = RecordingEngine(engine or Numbered(), path, anew=anew)
        await recorder.start()
        outcomes = []
        for asked in requests:
            try:
                outcomes.append(await recorder.complete(asked))
            except JudgeError as error:
                outcomes.append(error)
        await recorder.aclose()
        return outcomes

    return asyncio.run(main())


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def replayed(path, asked):
    return asyncio.run(ReplayEngine(str(path)).complete(asked))


def test_what_is_recorded_is_what_a_replay_gives(tmp_path):
    path = tmp_path / "records.jsonl"
    engine = Numbered(b=EngineError("down"))
    asked = [request("a", seeds=(7, 8)), request("b"), request("a", seeds=(9,), first_vote=2)]
    first, failed, later = record(path, *asked, engine=engine)
    assert (engine.started, engine.closed) == (1, 1)
    header, *records = lines(path)
    assert header[HEADER] == 1
    assert [(row["id"], row["vote"]) for row in records] == [("a", 0), ("a", 1), ("b", 0), ("a", 2)]
    assert [outcome_of(row) for row in records if row["id"] == "a"] == [*first, *later]
    assert replayed(path, request("a", seeds=(7, 8, 9))) == [*first, *later]
    [again] = replayed(path, asked[1])
    assert (again.category, again.message) == (failed.category, failed.message)


def test_a_recording_is_continued_without_doubles(tmp_path):
    path = tmp_path / "records.jsonl"
    record(path, request("a"), request("b"), request("c"))
    # Killed in the middle of a line; the row "c" was under way and is asked for again.
    path.write_bytes(path.read_bytes() + b'{"id": "d", "vote": 0, "te')
    engine = Numbered()
    engine.calls = 10
    record(path, request("c"), request("d"), engine=engine)
    _, *records = lines(path)
    assert [row["id"] for row in records] == ["a", "b", "c", "d"]
    assert [json.loads(row["text"])["critique"].split()[1] for row in records] == ["1", "2", "11", "12"]
    assert [item.name for item in tmp_path.iterdir()] == ["records.jsonl"]


def test_doubles_that_a_kill_left_go_when_the_file_is_opened(tmp_path):
    path = tmp_path / "records.jsonl"
    record(path, request("a"), request("b"))
    header, *records = path.read_text().splitlines()
    path.write_text("\n".join([header, *records, records[0].replace("call 1", "call 9")]) + "\n")
    record(path)
    assert [(row["id"], "call 9" in row["text"]) for row in lines(path)[1:]] == [("b", False), ("a", True)]


def test_one_writer_at_a_time(tmp_path):
    path = tmp_path / "records.jsonl"

    async def main():
        first, second = RecordingEngine(Numbered(), path), RecordingEngine(Numbered(), path)
        await first.start()
        with pytest.raises(SpecError, match="written by another judge or process"):
            await second.start()
        await first.complete(request("a"))
        await first.release()
        await second.start()
        await second.complete(request("a"))
        await second.release()
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    asyncio.run(main())
    assert len(lines(path)) == 2


def test_files_that_are_no_recording_of_this_judge_are_left_alone(tmp_path):
    foreign, other = tmp_path / "rows.jsonl", tmp_path / "other.jsonl"
    foreign.write_text('{"id": "1", "reward": 0.5}\n')
    record(other, request("a"))
    engine = Numbered()
    engine.model = "numbered-2"
    broken = tmp_path / "broken.jsonl"
    broken.write_text(other.read_text() + "no record\n" + '{"id": "b", "text": ""}\n')
    uncut, one_line = tmp_path / "notes.txt", tmp_path / "one.txt"
    uncut.write_text("notes\nthat end without a line feed")
    one_line.write_text("all that there is")
    for path, words, judge in (
        (uncut, "no recording of genrm", Numbered()),
        (one_line, "no recording of genrm", Numbered()),
        (foreign, "no recording of genrm", Numbered()),
        (other, "numbered numbered-1, not of numbered numbered-2", engine),
        (broken, "line 3 is no record", Numbered()),
        (tmp_path / "missing" / "records.jsonl", "No such file", Numbered()),
    ):
        before = path.read_bytes() if path.exists() else None
        with pytest.raises(SpecError, match=words):
            record(path, engine=judge)
        if "genrm" in words:
            with pytest.raises(SpecError, match=words):
                record(path, engine=judge, anew=True)
        assert (path.read_bytes() if path.exists() else None) == before


def test_a_recording_that_is_begun_anew_may_be_of_another_judge(tmp_path):
    path = tmp_path / "records.jsonl"
    record(path, request("a"))
    engine = Numbered()
    engine.model = "numbered-2"
    record(path, request("b"), engine=engine, anew=True)
    head, *rows = lines(path)
    assert (head["model"], [row["id"] for row in rows]) == ("numbered-2", ["b"])


@pytest.mark.parametrize("length", [0, 1, 20, 80])
def test_a_kill_in_the_first_line_does_no_harm(tmp_path, length):
    path = tmp_path / "records.jsonl"
    record(path)
    path.write_bytes(path.read_bytes()[:length])
    record(path, request("a"))
    assert [row.get("id") for row in lines(path)] == [None, "a"]


def test_the_lock_of_a_file_that_was_replaced_is_worth_nothing(tmp_path, monkeypatch):
    path = tmp_path / "records.jsonl"
    record(path, request("a"))
    real, content = fcntl.flock, path.read_bytes()

    def replaced_meanwhile(fd, how):
        real(fd, how)
        if content is not None and not (tmp_path / "once").exists():
            (tmp_path / "once").touch()
            fresh = tmp_path / "fresh"
            fresh.write_bytes(content)
            fresh.replace(path)

    monkeypatch.setattr(fcntl, "flock", replaced_meanwhile)
    record(path, request("b"))
    assert [row["id"] for row in lines(path)[1:]] == ["a", "b"]


def test_without_room_to_tidy_up_the_recording_stays_and_the_engine_is_released(tmp_path):
    path = tmp_path / "records.jsonl"
    record(path, request("a"))
    (tmp_path / "records.jsonl.new").mkdir()  # nothing can be written under this name
    engine = Numbered()
    engine.released = 0

    async def release():
        engine.released += 1

    engine.release = release
    record(path, request("a"), engine=engine)
    assert [row["id"] for row in lines(path)[1:]] == ["a", "a"]
    assert engine.released == 1
    record(path)
    (tmp_path / "records.jsonl.new").rmdir()
    record(path)
    assert [row["id"] for row in lines(path)[1:]] == ["a"]


def test_a_full_disk_ends_the_run(tmp_path):
    code = """
import asyncio, resource, sys
sys.path.insert(0, sys.argv[2])
from test_recorder import Numbered, RecordingEngine, request
from genrm.errors import RunStoppedError
async def main():
    recorder = RecordingEngine(Numbered(), sys.argv[1])
    await recorder.start()
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
    for number in range(1000):
        try:
            await recorder.complete(request(str(number)))
        except RunStoppedError as error:
            print(number, error)
            return
asyncio.run(main())
"""
    path = tmp_path / "records.jsonl"
    folder = __file__.rpartition("/")[0]
    found = subprocess.run([sys.executable, "-c", code, str(path), folder], capture_output=True, text=True, timeout=120)
    number, _, said = found.stdout.partition(" ")
    assert "the recording cannot be written" in said, found.stderr
    record(path, request("after"))
    assert [row["id"] for row in lines(path)[1:]] == [*map(str, range(int(number))), "after"]


def test_many_at_once_come_out_whole(tmp_path):
    path = tmp_path / "records.jsonl"

    async def main():
        recorder = RecordingEngine(Numbered(), path)
        await recorder.start()
        await asyncio.gather(*(recorder.complete(request(f"s{n}", seeds=(0, 1))) for n in range(300)))
        await recorder.aclose()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    thread.join(60)
    assert len({(row["id"], row["vote"]) for row in lines(path)[1:]}) == 600 == len(lines(path)) - 1


def test_it_has_to_be_started(tmp_path):
    with pytest.raises(RuntimeError, match="start"):
        asyncio.run(RecordingEngine(Numbered(), tmp_path / "r.jsonl").complete(request("a")))
