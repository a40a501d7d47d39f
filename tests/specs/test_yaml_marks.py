"""Reading YAML and JSON: plain values, lines, limits, and that what is written is read back unchanged."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrm.errors import SpecError
from genrm.specs.yaml_marks import MAX_DEPTH, dump_yaml, parse_json, parse_yaml

texts = (
    st.text(max_size=20)
    | st.text(" ab:#-\n\t", max_size=12)
    | st.sampled_from(
        [
            "yes",
            "no",
            "1e5",
            "0x1f",
            "010",
            "1:30",
            "~",
            "null",
            "2024-01-01",
            ".5",
            "+1",
            "-",
            "",
            " x",
            "a: b",
            "#",
            "<<",
            "=",
            "é\u2028\x85",
        ]
    )
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | st.integers(), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
def test_what_is_dumped_is_read_back(data):
    assert parse_yaml(dump_yaml(data)).data == data


@given(st.dictionaries(texts, st.integers() | texts | st.lists(texts, max_size=3), max_size=4))
def test_json_is_read_as_json(data):
    document = parse_json(json.dumps(data, indent="\t"))
    assert document.data == data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("010", 10),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("~", None),
        ("", None),
        ('"1"', "1"),
    ],
)
def test_plain_values_follow_yaml_1_2(text, value):
    found = parse_yaml(f"key: {text}").data["key"]
    assert found == value
    assert type(found) is type(value)


def test_lines_are_those_of_keys_and_items():
    source = parse_yaml("a: 1\nb:\n  - x\n  - c:\n      d: 2\n").source
    assert source.line(("b",)) == 2
    assert source.line(("b", 1)) == 4
    assert source.line(("b", 1, "c", "d")) == 5
    assert source.line(("b", 1, "c", "unheard of")) == 4


def test_json_has_lines_too():
    source = parse_json('{\n\t"a": 1,\n\t"b": [\n\t\t"x"\n\t]\n}').source
    assert source.line(("b", 0)) == 4


def test_merge_keys_are_plain_keys():
    assert parse_yaml("<<: 1").data == {"<<": 1}


def test_aliases_are_followed():
    assert parse_yaml("a: &s [1]\nb: *s").data == {"a": [1], "b": [1]}


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "aliases make more than"),
        ("a: &a [*a]", "aliases make more than"),
        ("[" * 5000, "nested too deeply"),
        ("a: " + "{a: " * 500, "nested too deeply"),
        ("- " * 3000 + "x", "nested too deeply"),
        ("a: !!python/object/apply:os.system [ls]\nb: !!python/name:os.system x", "tag"),
        ("? [a]\n: b", "a key is a text"),
        ("a: 1\n---\nb: 2", "second document"),
    ],
)
def test_hostile_yaml_is_refused_at_once(text, message):
    begin = time.process_time()
    with pytest.raises(SpecError, match=message):
        parse_yaml(text)
    assert time.process_time() - begin < 5


def test_a_depth_within_the_limit_is_read():
    levels = MAX_DEPTH - 2
    data = parse_yaml("[" * levels + "]" * levels).data
    for _ in range(levels - 1):
        (data,) = data
    assert data == []


def test_deep_json_is_refused():
    with pytest.raises(SpecError, match="nested too deeply"):
        parse_json("[" * 100_000 + "]" * 100_000)


@pytest.mark.parametrize("parse", [parse_yaml, parse_json])
def test_a_key_that_stands_twice_is_named_with_both_lines(parse):
    with pytest.raises(SpecError) as caught:
        parse('{"a": 1,\n"b": 2,\n"a": 3}')
    (fault,) = caught.value.faults
    assert (fault.line, fault.field) == (3, "a")
    assert "lines 1 and 3" in fault.message


def test_a_number_of_thousands_of_digits_is_a_fault():
    with pytest.raises(SpecError, match="digits"):
        parse_json('{"weight": ' + "1" * 5000 + "}")
    with pytest.raises(SpecError, match="digits"):
        parse_yaml("weight: " + "1" * 5000)
