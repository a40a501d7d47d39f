"""Readers: any file becomes rows and failed rows, each with its line."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrm.batch.lines import bounded_lines, json_rows
from genrm.batch.readers import open_source
from genrm.errors import FileError


def rows_of(data: bytes, **options):
    return list(json_rows(io.BytesIO(data), **options))


def test_good_lines_are_rows_with_their_numbers():
    assert [(item.line, item.row) for item in rows_of(b'{"a":1}\n{"a":2}')] == [(1, {"a": 1}), (2, {"a": 2})]


def test_byte_order_mark_and_windows_line_ends_are_fine():
    assert [item.row for item in rows_of(b'\xef\xbb\xbf{"a":1}\r\n{"a":"\xc3\xa9"}\r\n')] == [{"a": 1}, {"a": "é"}]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": nope}', "column"),
        (b'{"a": NaN}', "write null"),
        (b'{"a": -Infinity}', "write null"),
        (b'{"a": NaN, "n": 12345678901234567890123}', "write null"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a":1} {"a":2}', "column 9"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "depth"),
        (b"[1, 2]", "found a list"),
        (b'"text"', "found a text"),
        (b"null", "found null"),
        (b"7", "found the value 7"),
        (b'{"a":1', "column"),
        (b"\x00\x01\x02", "column"),
    ],
)
def test_a_bad_line_fails_alone(line, reason):
    before, bad, after = rows_of(b'{"a":1}\n' + line + b'\n{"a":3}\n')
    assert (before.row, after.row, after.line) == ({"a": 1}, {"a": 3}, 3)
    assert bad.row is None
    assert bad.line == 2
    assert reason in bad.error.message
    assert bad.error.category == "bad_input"


def test_cut_emoji_and_long_whole_numbers_survive():
    (item,) = rows_of(b'{"a":"\\ud83d","n":123456789012345678901234567890}')
    assert item.row == {"a": "\ud83d", "n": 123456789012345678901234567890}


def test_blank_lines_fail_except_at_the_end():
    items = rows_of(b'\n{"a":1}\n  \n\n{"a":2}\n\n \r\n\n')
    assert [(item.line, item.error is None) for item in items] == [
        (1, False),
        (2, True),
        (3, False),
        (4, False),
        (5, True),
    ]


def test_a_line_over_the_limit_fails_and_the_rest_is_read():
    long = b'{"a":"' + b"x" * 5000 + b'"}'
    items = rows_of(long + b'\n{"a":1}\n' + long, limit=1000)
    assert [(item.line, item.row) for item in items] == [(1, None), (2, {"a": 1}), (3, None)]
    assert "longer than 1,000 bytes" in items[0].error.message


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_the_limit_counts_the_line_without_its_end(end):
    assert [line.too_long for line in bounded_lines(io.BytesIO(b"x" * 10 + end), limit=10)] == [False]
    assert [line.too_long for line in bounded_lines(io.BytesIO(b"x" * 11 + end), limit=10)] == [True]


def test_a_huge_line_costs_no_memory(tmp_path):
    path = tmp_path / "huge.jsonl"
    with path.open("wb") as file:
        file.seek(200 * 2**20)
        file.write(b'\n{"a":1}\n')
    tracemalloc.start()
    try:
        items = list(open_source(str(path)).rows())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [item.line for item in items] == [1, 2]
    assert items[1].row == {"a": 1}
    assert peak < 40 * 2**20


@given(st.lists(st.binary(max_size=40).filter(lambda data: b"\n" not in data), max_size=8))
def test_any_bytes_give_every_line_once_or_a_trailing_blank(lines):
    data = b"".join(line + b"\n" for line in lines)
    items = rows_of(data)
    assert [item.line for item in items] == list(range(1, len(items) + 1))
    assert all((item.row is None) != (item.error is None) for item in items)
    assert not b"".join(data.removeprefix(b"\xef\xbb\xbf").split(b"\n")[len(items) :]).strip()


def write(tmp_path: Path, name: str, data: bytes) -> str:
    path = tmp_path / name
    path.write_bytes(data)
    return str(path)


def test_csv_cells_are_text_and_empty_ones_null(tmp_path):
    data = b'\xef\xbb\xbfprompt,response,reference\r\n"a, b","two\nlines",\r\nq,007,4\r\n'
    items = list(open_source(write(tmp_path, "x.csv", data)).rows())
    assert [item.row for item in items] == [
        {"prompt": "a, b", "response": "two\nlines", "reference": None},
        {"prompt": "q", "response": "007", "reference": "4"},
    ]
    assert [item.line for item in items] == [2, 4]


def test_bad_csv_rows_fail_alone(tmp_path):
    data = b"a,b\n1,2,3\n\n\xff,2\n" + b"y" * (9 * 2**20) + b",1\n5,6\n\n"
    items = list(open_source(write(tmp_path, "x.csv", data)).rows())
    assert [(item.line, item.error is None) for item in items] == [
        (2, False),
        (3, False),
        (4, False),
        (5, False),
        (6, True),
    ]
    assert [
        word in item.error.message for item, word in zip(items, ["3 cells", "blank", "UTF-8", "longer"], strict=False)
    ] == [True] * 4


def test_a_csv_header_that_names_a_column_twice_stops(tmp_path):
    with pytest.raises(FileError, match="'a' stands there twice"):
        list(open_source(write(tmp_path, "x.csv", b"a,b,a\n1,2,3\n")).rows())


def test_tsv(tmp_path):
    assert [i.row for i in open_source(write(tmp_path, "x.tsv", b"a\tb\n1,5\t2\n")).rows()] == [{"a": "1,5", "b": "2"}]


@pytest.mark.parametrize("wrap", ['[{"a":1},{"a":2},3]', '{"data":[{"a":1},{"a":2},3]}'])
def test_json_documents(tmp_path, wrap):
    items = list(open_source(write(tmp_path, "x.json", wrap.encode())).rows())
    assert [(item.line, item.row) for item in items] == [(1, {"a": 1}), (2, {"a": 2}), (3, None)]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b'{"a":1}\n{"a":2}\n', "--format jsonl"),
        (b"[1,", "column"),
        (b'{"rows":[]}', "array of rows"),
        (b"", "not valid JSON"),
    ],
)
def test_a_wrong_json_document_stops_with_the_fix(tmp_path, document, said):
    with pytest.raises(FileError, match=said):
        list(open_source(write(tmp_path, "x.json", document)).rows())


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    rows = [
        {"response": "r", "score": 1.5, "turns": [{"role": "user", "content": "q"}]},
        {"response": None, "score": float("nan"), "turns": []},
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    source = open_source(str(path))
    assert [item.row for item in source.rows()] == [rows[0], {"response": None, "score": None, "turns": []}]
    assert source.count() == 2
    with pytest.raises(FileError, match="no Parquet file"):
        list(open_source(write(tmp_path, "y.parquet", b"junk")).rows())


def test_gzip_and_a_damaged_one(tmp_path):
    whole = gzip.compress(b"".join(json.dumps({"a": n, "x": str(n**7)}).encode() + b"\n" for n in range(5000)))
    assert sum(item.error is None for item in open_source(write(tmp_path, "x.jsonl.gz", whole)).rows()) == 5000
    with pytest.raises(FileError, match="any further"):
        list(open_source(write(tmp_path, "y.jsonl.gz", whole[:-100])).rows())


@pytest.mark.parametrize(("data", "count"), [(b"", 0), (b"{}\n{}\n", 2), (b"{}\n{}", 2)])
def test_counting(tmp_path, data, count):
    assert open_source(write(tmp_path, "x.jsonl", data)).count() == count


def test_files_that_cannot_be_used(tmp_path):
    (tmp_path / "answers.jsonl").touch()
    with pytest.raises(FileError, match=r"no such file; did you mean .*answers\.jsonl"):
        open_source(str(tmp_path / "answer.jsonl"))
    with pytest.raises(FileError, match="is a folder"):
        open_source(str(tmp_path))
    with pytest.raises(FileError, match="add --format"):
        open_source(write(tmp_path, "x.txt", b""))
    with pytest.raises(FileError, match="found 'xml'"):
        open_source(write(tmp_path, "x.jsonl", b""), "xml")
    assert open_source(write(tmp_path, "x.txt", b""), "jsonl").format == "jsonl"
