"""The file of the answer cache and the store in front of it: many processes, kills, limits, files that are none."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrm.engines.answers.file import AnswerFile, file_bytes
from genrm.engines.answers.layout import APPLICATION
from genrm.engines.answers.store import AnswerStore, decode, encode
from genrm.engines.base import Completion, SlotReading, TextToken, Usage
from genrm.errors import SpecError


def key_of(number):
    return hashlib.sha256(str(number).encode()).digest()


def completion_of(number, *, size=200):
    return Completion(f'{{"critique":"{number} {random.Random(number).randbytes(size // 2).hex()}"}}', Usage())


def get(store, *keys):
    return asyncio.run(asyncio.wait_for(store.get(keys), 60))


probability = st.floats(0, 1)
# A half of a surrogate pair comes back; two halves side by side would come back as one character.
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40) | st.just("half \ud800")
completions = st.builds(
    Completion,
    texts | st.just("long " * 500),
    st.just(Usage()),
    st.dictionaries(
        st.text(max_size=5),
        st.builds(lambda p, outside: SlotReading({"p": p, "no": 1 - p}, outside), probability, st.none() | probability),
        max_size=2,
    ),
    st.dictionaries(
        st.text(max_size=5),
        st.lists(st.builds(TextToken, texts, probability, st.dictionaries(texts, probability, max_size=3))).map(tuple),
        max_size=2,
    ),
    st.booleans(),
    st.lists(st.text(max_size=5)).map(tuple),
    st.none() | texts,
)


@settings(max_examples=60, deadline=None)
@given(completions)
def test_a_completion_comes_back_to_the_last_bit(completion):
    assert decode(encode(completion)) == completion


def test_only_what_compresses_is_compressed():
    assert encode(completion_of(1))[:1] == b"\x00"
    assert len(encode(Completion("again and " * 1000, Usage()))) < 200


@pytest.mark.parametrize("value", [b"", b"\x00", b"\x00{}", b"\x01garbage", b"\x00[1]", b'\x00{"text": 3}', b"\x02{}"])
def test_a_damaged_value_is_no_answer(value):
    assert decode(value) is None


def test_what_was_put_is_found_before_and_after_it_is_written(tmp_path):
    store = AnswerStore(tmp_path / "answers.db")
    for number in range(50):
        store.put(key_of(number), completion_of(number), "model")
    assert get(store, *map(key_of, range(60))) == {key_of(number): completion_of(number) for number in range(50)}
    store.close()
    again = AnswerStore(tmp_path / "answers.db")
    assert get(again, *map(key_of, range(1, 700))) == {key_of(number): completion_of(number) for number in range(1, 50)}
    again.close()
    with AnswerFile.open(tmp_path / "answers.db") as file:
        assert [(share.model, share.answers, share.hits) for share in file.shares()] == [("model", 50, 49)]
        assert file.check() is None
    assert not (tmp_path / "answers.db-wal").exists()


def test_a_closed_store_has_no_answers_and_hangs_nobody(tmp_path):
    store = AnswerStore(tmp_path / "answers.db")
    store.put(key_of(1), completion_of(1), "model")
    store.close()
    store.put(key_of(2), completion_of(2), "model")
    assert key_of(2) not in get(store, key_of(1), key_of(2))


def test_the_least_recently_used_go_first(tmp_path):
    path = tmp_path / "answers.db"
    with AnswerFile.open(path) as file:
        file.put([(key_of(n), encode(completion_of(n, size=2000)), "old") for n in range(2000)])
    connection = sqlite3.connect(path)
    connection.execute("UPDATE answers SET used = used - 5000")
    connection.commit()
    connection.close()
    with AnswerFile.open(path) as file:
        assert file.bytes > 2_500_000
        file.put([], used=[key_of(n) for n in range(300)])
        file.shrink(1_500_000)
        assert file.bytes <= 1_500_000
        assert len(file.get([key_of(n) for n in range(300)])) == 300
        left = file.shares()[0].answers
        assert 500 < left < 1200
        assert file.check() is None
    assert file_bytes(path) < 2_000_000


def test_a_store_keeps_to_its_limit(tmp_path):
    store = AnswerStore(tmp_path / "answers.db", limit_mb=1)
    for number in range(3000):
        store.put(key_of(number), completion_of(number, size=2000), "model")
        if number % 100 == 0:
            time.sleep(0.01)
    store.close()
    with AnswerFile.open(tmp_path / "answers.db") as file:
        assert 600_000 < file.bytes <= 1_100_000
        assert file.get([key_of(2999)])
    for limit in (0.5, 0, -1, True):
        with pytest.raises(SpecError, match="cache_limit_mb: must be at least 1"):
            AnswerStore(tmp_path / "answers.db", limit_mb=limit)


def test_clearing(tmp_path):
    path = tmp_path / "answers.db"
    with AnswerFile.open(path) as file:
        for model, numbers in (("a", range(600)), ("b", range(600, 640)), ("b2", range(640, 650))):
            file.put([(key_of(n), encode(completion_of(n, size=1000)), model) for n in numbers])
        before = file_bytes(path)
        assert file.clear(unused_since=time.time() - 60) == 0
        assert file.clear(model="no such") == 0
        assert file.clear(model="a") == 600
        assert file_bytes(path) < before / 3
        assert file.clear(model="b*", unused_since=time.time() + 60) == 50
        assert file.shares() == []
        file.put([(key_of(1), b"\x00{}", "a")])
        assert file.clear() == 1


def test_files_that_are_no_caches_are_refused_and_left_alone(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("my notes, which are longer than a header of SQLite " * 20)
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()
    newer, damaged = tmp_path / "newer.db", tmp_path / "damaged.db"
    for path in (newer, damaged):
        with AnswerFile.open(path) as file:
            file.put([(key_of(n), encode(completion_of(n)), "m") for n in range(200)])
    connection = sqlite3.connect(newer)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    damaged.write_bytes(damaged.read_bytes()[:100] + b"\xff" * 8000)
    (tmp_path / "folder.db").mkdir()
    for name, words in {
        "notes.txt": "no answer cache",
        "other.db": "another program",
        "newer.db": "newer genrm",
        "damaged.db": "damaged",
        "folder.db": "is a folder",
        "missing/answers.db": "mkdir -p",
    }.items():
        path = tmp_path / name
        before = path.read_bytes() if path.is_file() else None
        with pytest.raises(SpecError, match=words) as caught:
            AnswerStore(path)
        assert str(path) in str(caught.value)
        assert (path.read_bytes() if path.is_file() else None) == before
    with pytest.raises(SpecError, match="no such file"):
        AnswerFile.open(tmp_path / "none.db", create=False)
    assert not (tmp_path / "none.db").exists()


def test_an_empty_file_and_a_name_with_odd_characters_become_caches(tmp_path):
    for name in ("empty.db", "a b?c#d%20.db"):
        path = tmp_path / name
        path.touch()
        with AnswerFile.open(path) as file:
            file.put([(key_of(1), b"\x00{}", "m")])
        assert path.read_bytes()[68:72] == APPLICATION.to_bytes(4, "big")
        assert sorted(item.name for item in tmp_path.iterdir() if item.name.startswith(name)) == [name]


WORKER = """
import asyncio, hashlib, random, sys, time
from genrm.engines.answers.store import AnswerStore
from genrm.engines.answers.file import AnswerFile
from genrm.engines.base import Completion, Usage
path, log, seed, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
dice = random.Random(seed)
store = AnswerStore(path)
reader = AnswerFile.open(store.path)
out = open(log, "a")
async def main():
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        numbers = [dice.randrange(4000) for _ in range(16)]
        keys = {hashlib.sha256(str(n).encode()).digest(): n for n in numbers}
        found = await store.get(list(keys))
        for key, completion in found.items():
            assert completion.text.split()[0] == str(keys[key]), "another question's answer"
        for key, n in keys.items():
            if key not in found:
                store.put(key, Completion(f"{n} " + "x" * 300, Usage()), f"model {n % 3}")
        await asyncio.sleep(0.002)
        for key in reader.get(list(keys)):
            out.write(f"{keys[key]}\\n")
        out.flush()
asyncio.run(main())
store.close()
print("done")
"""


def hammer(tmp_path, *, kills, seconds):
    """Eight processes on one file for some seconds; ``kills`` of them at random moments, each replaced by another."""
    path, dice = tmp_path / "answers.db", random.Random(1)
    program = tmp_path / "worker.py"
    program.write_text(WORKER)
    logs = []

    def start(number):
        log = tmp_path / f"log-{number}"
        logs.append(log)
        command = [sys.executable, str(program), str(path), str(log), str(number), str(seconds)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    workers = [start(number) for number in range(8)]
    said = []
    for number in range(kills):
        time.sleep(seconds / kills * dice.random())
        victim = workers.pop(dice.randrange(len(workers)))
        victim.send_signal(signal.SIGKILL)
        said.append(victim.communicate(timeout=60))
        workers.append(start(100 + number))
    said += [worker.communicate(timeout=120) for worker in workers]
    assert [err for _, err in said if err] == [], "no lock, no corruption, no traceback"
    assert sum(out == "done\n" for out, _ in said) >= 8
    committed = {int(line) for log in logs if log.exists() for line in log.read_text().split("\n")[:-1]}
    with AnswerFile.open(path) as file:
        assert file.check() is None
        stored = file.get([key_of(number) for number in committed])
        assert len(stored) == len(committed) > 200
        for number in committed:
            assert decode(stored[key_of(number)].value).text.startswith(f"{number} ")
        assert sum(share.answers for share in file.shares()) >= len(committed)


def test_eight_processes_that_are_killed_at_random_lose_and_break_nothing(tmp_path):
    hammer(tmp_path, kills=4, seconds=2)


@pytest.mark.full
def test_eight_processes_that_are_killed_at_random_for_longer(tmp_path):
    hammer(tmp_path, kills=40, seconds=20)


def in_a_child(code, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=120, **options
    )


def test_a_full_disk_ends_the_caching_and_not_the_run(tmp_path):
    found = in_a_child(
        """
import asyncio, resource, sys, time
from genrm.engines.answers.store import AnswerStore
from genrm.engines.base import Completion, Usage
store = AnswerStore(sys.argv[1])
store.put(b"0" * 32, Completion("kept", Usage()), "m")
while b"0" * 32 in store._waiting:
    time.sleep(0.01)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
for number in range(3000):
    store.put(str(number).encode() * 9, Completion(f"{number}" * 300, Usage()), "m")
    if number % 100 == 0:
        time.sleep(0.02)
print(len(asyncio.run(store.get([b"0" * 32]))))
store.close()
""",
        tmp_path / "answers.db",
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout == "1\n"
    assert found.stderr.count("answer cache") == 1
    assert "new answers are not kept" in found.stderr
    with AnswerFile.open(tmp_path / "answers.db") as file:
        assert file.check() is None
        assert file.get([b"0" * 32])


READ_ONLY = """
import asyncio, os, sys
from genrm.engines.answers.store import AnswerStore
from genrm.engines.base import Completion, Usage
if os.getuid() == 0:
    os.setresuid(65534, 65534, 65534)  # the superuser may write everything
store = AnswerStore(sys.argv[1])
store.put(b"1" * 32, Completion("new", Usage()), "m")
print(sorted(one.text for one in asyncio.run(store.get([b"0" * 32, b"1" * 32])).values()))
store.close()
"""


@pytest.mark.parametrize(
    ("file_mode", "folder_mode", "there"), [(0o444, 0o777, True), (0o444, 0o555, True), (0o644, 0o555, False)]
)
def test_where_nothing_can_be_written_answers_are_read(file_mode, folder_mode, there):
    # pytest's own folders are closed to other users.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "answers.db"
        if there:
            with AnswerFile.open(path) as file:
                file.put([(b"0" * 32, encode(Completion("old", Usage())), "m")])
            path.chmod(file_mode)
        folder.chmod(folder_mode)
        found = in_a_child(READ_ONLY, path)
        folder.chmod(0o755)
    assert found.returncode == 0, found.stderr
    assert found.stdout == ("['old']\n" if there else "[]\n")
    assert found.stderr.count("answer cache") == 1, found.stderr
    assert ("new answers are not kept" if there else "goes on without it") in found.stderr


def test_a_fork_leaves_the_file_of_the_parent_alone(tmp_path):
    found = in_a_child(
        """
import asyncio, gc, os, sys, time
from genrm.engines.answers.store import AnswerStore
from genrm.engines.base import Completion, Usage
store = AnswerStore(sys.argv[1])
for number in range(200):
    store.put(str(number).encode() * 9, Completion(str(number), Usage()), "m")
while store._waiting:
    time.sleep(0.01)
if child := os.fork():
    assert os.waitpid(child, 0)[1] == 0
else:
    del store
    gc.collect()
    other = AnswerStore(sys.argv[1])
    other.put(b"child", Completion("child", Usage()), "m")
    assert len(asyncio.run(other.get([b"1" * 9, b"child"]))) == 2
    other.close()
    sys.exit(0)  # with all of Python's cleaning up
print(os.path.exists(sys.argv[1] + "-wal"))
for number in range(200, 400):
    store.put(str(number).encode() * 9, Completion(str(number), Usage()), "m")
store.close()
""",
        tmp_path / "answers.db",
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, "True\n", "")
    with AnswerFile.open(tmp_path / "answers.db") as file:
        assert file.check() is None
        assert file.shares()[0].answers == 401


def test_a_file_that_breaks_in_the_middle_is_told_once(tmp_path, caplog):
    path = tmp_path / "answers.db"
    with AnswerFile.open(path) as file:
        file.put([(key_of(n), encode(completion_of(n)), "m") for n in range(3000)])
    store = AnswerStore(path)
    with path.open("r+b") as raw:
        raw.seek(4096)
        raw.write(b"\xff" * (path.stat().st_size - 4096))
    with caplog.at_level(logging.WARNING, logger="genrm"):
        for start in range(0, 3000, 100):
            get(store, *(key_of(n) for n in range(start, start + 100)))
            store.put(key_of(5000 + start), completion_of(start), "m")
        assert get(store, key_of(1)) == {}
        store.close()
    assert len(caplog.records) == 1
    assert "answer cache" in caplog.text


def test_an_answer_that_breaks_the_reader_leaves_nobody_waiting(tmp_path, monkeypatch, caplog):
    path = tmp_path / "answers.db"
    with AnswerFile.open(path) as file:
        file.put([(key_of(1), encode(completion_of(1)), "m")])

    def break_off(value):
        raise RecursionError("too deep")

    monkeypatch.setattr("genrm.engines.answers.store.decode", break_off)
    store = AnswerStore(path)
    with caplog.at_level(logging.WARNING, logger="genrm"):
        assert get(store, key_of(1)) == {}
    store.close()
    assert "too deep" in caplog.text


def test_the_figures_are_what_json_shows(tmp_path):
    from typer.testing import CliRunner

    from genrm.cli import app

    with AnswerFile.open(tmp_path / "a.db") as file:
        file.put([(key_of(1), b"\x00{}", "m")])
    shown = json.loads(CliRunner().invoke(app, ["cache", "stats", str(tmp_path / "a.db"), "--json"]).stdout)
    assert (shown["answers"], shown["hits"], shown["models"][0]["bytes"]) == (1, 0, 3)
