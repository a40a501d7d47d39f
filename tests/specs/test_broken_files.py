"""A corpus of broken rubric files: each is refused with its line, its field and a fix, and nothing ends in a traceback.

Every case goes through Python and through the command line.
"""

import json

import pytest
from typer.testing import CliRunner

from genrm.cli.rubric import app
from genrm.errors import SpecError
from genrm.specs.load import load_rubric

HEAD = "name: broken\ncriteria:\n"
GROUP = "    criteria:\n    - id: {}\n      ask: y\n"
ONE = "  - id: a\n    ask: Is it?\n"

# name -> (content, line, field, a part of message, value or fix)
CASES = {
    "empty": ("", 1, None, "is empty"),
    "blank": ("\n\n", 1, None, "is empty"),
    "comment_only": ("# nothing here\n", 1, None, "is empty"),
    "list_at_top": ("- id: a\n", 1, None, "mapping of keys to values"),
    "text_at_top": ("just words\n", 1, None, "begin with name:"),
    "tab_indent": ("name: x\ncriteria:\n\t- id: a\n", 3, None, "a tab indents this line"),
    "bad_indent": (HEAD + "  - id: a\n   ask: x\n", 4, None, "indentation"),
    "two_colons": ("name: x\ndescription: note: this\n", 2, None, "quotes around"),
    "open_quote": ('name: "x\ncriteria: []\n', 3, None, "quote is never closed"),
    "open_bracket": ("name: x\nprinciples: [a, b\ncriteria: []\n", 3, None, "brackets"),
    "question_in_braces": (HEAD + "  - {id: a, ask: Is it?}\n", 3, None, "quotes around texts with a question mark"),
    "no_colon": ("name: x\ncriteria\nask: joint\n", 3, None, "no colon"),
    "unknown_alias": ("name: *nobody\n", 1, None, "alias"),
    "tag": ("name: !!python/object/apply:os.getcwd []\n", 1, "name", None),
    "duplicate_key": ("name: x\nask: joint\nask: separate\n", 3, "ask", "lines 2 and 3"),
    "no_name": ("criteria: []\n", 1, "name", "is missing"),
    "bad_name": ("name: my rubric!\n", 1, "name", "is no name"),
    "number_name": ("name: 5\n", 1, "name", "quotes"),
    "unknown_key": ("name: x\nprotocoll: verify\n", 2, "protocoll", "write 'protocol'"),
    "stray_key": ("name: x\nzebra: 1\n", 2, "zebra", "the keys here are name"),
    "protocol": ("name: x\nprotocol: pairwise\n", 2, "protocol", "available: pointwise, verify"),
    "vote_text": ("name: x\nvote:\n  n: '3'\n", 3, "vote.n", "whole number"),
    "vote_zero": ("name: x\nvote: {n: 0}\n", 2, "vote.n", "at least 1"),
    "vote_many": ("name: x\nvote: {n: 1000}\n", 2, "vote.n", "at most 256"),
    "vote_list": ("name: x\nvote: [1]\n", 2, "vote", "mapping is needed"),
    "vote_rule": ("name: x\nvote: {rule: medain}\n", 2, "vote.rule", "write 'median'"),
    "flag": ("name: x\ncritique: yes\n", 2, "critique", "true or false"),
    "principle_type": ("name: x\nprinciples: [ok, 7]\n", 2, "principles[1]", None),
    "principles_text": ("name: x\nprinciples: be good\n", 2, "principles", "a list is needed"),
    "criteria_mapping": ("name: x\ncriteria: {id: a}\n", 2, "criteria", "a list is needed"),
    "criterion_text": (HEAD + ONE + "  - Is it?\n", 5, "criteria[1]", "mapping is needed"),
    "criterion_null": (HEAD + "  -\n", 3, "criteria[0]", "mapping is needed"),
    "no_id": (HEAD + "  - ask: Is it?\n", 3, "criteria[0].id", "is missing"),
    "bad_id": (HEAD + "  - ask: Is it?\n    id: 1st\n", 4, "criteria[0].id", "use a letter"),
    "asks_nothing": (HEAD + ONE + "  - id: b\n    weight: 2\n", 5, "criteria[1]", "add ask"),
    "ask_empty": (HEAD + "  - id: a\n    ask: ' '\n", 4, "criteria[0].ask", "is empty"),
    "same_id": (HEAD + ONE + ONE, 5, "criteria[1].id", "line 3 and line 5"),
    "weight_zero": (HEAD + ONE + "    weight: 0\n", 5, "criteria[0].weight", "without any effect"),
    "weight_text": (HEAD + ONE + "    weight: heavy\n", 5, "criteria[0].weight", '(found "heavy")'),
    "weight_inf": (HEAD + ONE + "    weight: .inf\n", 5, "criteria[0].weight", "finite"),
    "weight_flag": (HEAD + ONE + "    weight: true\n", 5, "criteria[0].weight", "a number is needed"),
    "kind": (HEAD + ONE + "    kind: esential\n", 5, "criteria[0].kind", "write 'essential'"),
    "misspelt": (HEAD + ONE + "    wieght: 3\n", 5, "criteria[0].wieght", "write 'weight'"),
    "scale_name": (HEAD + ONE + "    scale: lickert-5\n", 5, "criteria[0].scale", "write likert-5"),
    "scale_number": (HEAD + ONE + "    scale: 5\n", 5, "criteria[0].scale", "is no scale"),
    "scale_range": (HEAD + ONE + "    scale: {min: 9, max: 1}\n", 5, "criteria[0].scale", "min below max"),
    "label_value": (
        HEAD + ONE + "    scale:\n    - {label: a, value: 0}\n    - {label: b, value: two}\n",
        7,
        "criteria[0].scale[1].value",
        "a number is needed",
    ),
    "label_missing": (
        HEAD + ONE + "    scale:\n    - {value: 0}\n    - {label: b, value: 2}\n",
        6,
        "criteria[0].scale[0].label",
        "is missing",
    ),
    "label_twice": (
        HEAD + ONE + "    scale: [{label: a, value: 0}, {label: A, value: 1}]\n",
        5,
        "criteria[0].scale",
        "letter case",
    ),
    "labels_clash": (
        HEAD
        + ONE
        + "    scale: [{label: poor, value: 0}, {label: good, value: 1}]\n  - id: b\n    ask: Is it?\n"
        + "    scale: [{label: poor, value: 0}, {label: good, value: 5}]\n",
        8,
        "criteria[1].scale",
        "line 5 and line 8",
    ),
    "check_kind": (HEAD + "  - id: a\n    check: {regx: x}\n", 4, "criteria[0].check", "regex"),
    "check_broken": (HEAD + "  - id: a\n    check: {regex: '('}\n", 4, "criteria[0].check", "broken"),
    "check_two": (HEAD + "  - id: a\n    check: {regex: a, contains: b}\n", 4, "criteria[0].check", "exactly one kind"),
    "check_and_group": (
        HEAD + "  - id: a\n    check: {regex: a}\n" + GROUP.format("b"),
        3,
        "criteria[0]",
        "both criteria and check",
    ),
    "group_empty": (HEAD + "  - id: a\n    criteria: []\n", 3, "criteria[0]", "empty list"),
    "group_gate": (
        HEAD + "  - id: a\n    constraint: true\n" + GROUP.format("b"),
        3,
        "criteria[0]",
        "mark the criteria inside",
    ),
    "inside_group": (
        HEAD + "  - id: g\n" + GROUP.format("x") + "      weight: 0\n",
        7,
        "criteria[0].criteria[0].weight",
        "without any effect",
    ),
    "same_id_in_group": (
        HEAD + ONE + "  - id: g\n" + GROUP.format("a"),
        7,
        "criteria[1].criteria[0].id",
        "line 3 and line 7",
    ),
    "nul": ("name: x\nask: \0\n", 2, None, "NUL byte"),
    "control": ("name: x\ndescription: \x07\n", 2, None, "control character"),
    "latin_1": ("name: x\ndescription: caf\xe9\n".encode("latin-1"), 2, None, "UTF-8"),
    "utf_16": ("name: x\n".encode("utf-16"), 1, None, "UTF-16"),
    "junk": (bytes(range(256)) * 4, 1, None, "is no text"),
    "large": (b"name: x\n# " + b"x" * 5_000_000, None, None, "5.0 MB"),
    "deep": ("name: " + "[" * 3000, 1, None, "nested too deeply"),
}


def write(folder, name, content):
    path = folder / f"{name}.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("name", CASES)
def test_every_fault_has_its_place_and_its_fix(name, tmp_path):
    content, line, field, words = CASES[name]
    path = write(tmp_path, name, content)
    with pytest.raises(SpecError) as caught:
        load_rubric(path)
    faults = caught.value.faults
    assert all(fault.file == str(path) and fault.fix for fault in faults)
    match = [f for f in faults if (f.line, f.field) == (line, field) and (words is None or words in str(f))]
    assert match, f"no fault at line {line}, field {field}, with {words!r} in:\n{caught.value}"


@pytest.mark.parametrize("name", CASES)
def test_the_command_line_names_it_and_leaves_with_2(name, tmp_path):
    content, line, field, words = CASES[name]
    path = write(tmp_path, name, content)
    result = CliRunner().invoke(app, ["check", str(path)])
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert f"{path}:{line}:" in result.stderr if line else str(path) in result.stderr
    for part in (field, words, "Fix: "):
        assert part is None or part in result.stderr
    for jargon in ("Traceback", "Input should", "pydantic", "validation error"):
        assert jargon not in result.stderr


def test_json_files_have_lines_too(tmp_path):
    path = tmp_path / "broken.json"
    path.write_text('{\n\t"name": "x",\n\t"criteria": [\n\t\t{"id": "a", "ask": "?",\n\t\t "weight": 0}\n\t]\n}')
    with pytest.raises(SpecError) as caught:
        load_rubric(path)
    assert [(fault.line, fault.field) for fault in caught.value.faults] == [(5, "criteria[0].weight")]
    path.write_text('{\n"name": "x",\n}')
    with pytest.raises(SpecError, match="this is not JSON") as caught:
        load_rubric(path)
    assert caught.value.faults[0].line in (2, 3)


def test_all_faults_of_a_file_come_at_once_in_its_order(tmp_path):
    text = (
        "name: bad name\nprotocol: pairwise\ncriteria:\n  - id: a\n    ask: x\n    weight: 0\n    scale: lickert-5\n"
        "  - id: a\n    weight: x\n  - id: g\n    criteria:\n      - id: a\n        check: {regx: 1}\n"
    )
    with pytest.raises(SpecError) as caught:
        load_rubric(write(tmp_path, "many", text))
    found = [(fault.line, fault.field) for fault in caught.value.faults]
    assert found == sorted(found, key=lambda item: item[0])
    assert set(found) == {
        (1, "name"),
        (2, "protocol"),
        (6, "criteria[0].weight"),
        (7, "criteria[0].scale"),
        (8, "criteria[1]"),
        (8, "criteria[1].id"),
        (9, "criteria[1].weight"),
        (12, "criteria[2].criteria[0].id"),
        (13, "criteria[2].criteria[0].check"),
    }


def test_a_broken_label_is_not_also_called_a_short_scale(tmp_path):
    text = HEAD + ONE + "    scale: [{label: a, value: 0}, {label: b, value: x}]\n"
    with pytest.raises(SpecError) as caught:
        load_rubric(write(tmp_path, "label", text))
    assert [fault.field for fault in caught.value.faults] == ["criteria[0].scale[1].value"]


def test_values_are_shown_short_and_on_one_line(tmp_path):
    text = HEAD + "  - id: a\n    ask: [" + "x, " * 200 + '"\\n\\e[31m"]\n'
    with pytest.raises(SpecError) as caught:
        load_rubric(write(tmp_path, "long", text))
    (fault,) = [fault for fault in caught.value.faults if fault.field == "criteria[0].ask"]
    assert fault.value is not None
    assert len(fault.value) <= 60
    assert fault.value.isprintable()


def test_the_report_for_programs(tmp_path):
    good = write(tmp_path, "good", "name: good\n" + HEAD.partition("\n")[2] + ONE)
    bad = write(tmp_path, "bad", "name: bad\nzebra: 1\n")
    result = CliRunner().invoke(app, ["check", "--json", str(good), str(bad)])
    assert result.exit_code == 2
    first, second = json.loads(result.stdout)
    assert (first["ok"], first["faults"]) == (True, [])
    assert first["digest"].startswith("sha256:")
    assert second["faults"][0] | {"message": "", "fix": ""} == {
        "message": "",
        "file": str(bad),
        "line": 2,
        "field": "zebra",
        "value": None,
        "fix": "",
    }
