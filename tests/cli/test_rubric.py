"""``genrm rubric``: list, show, check, schema and import, as a person and as a program use them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genrm.cli.rubric import app
from genrm.specs.load import library_files, load_rubric

TREE = {
    "id": "r",
    "requirements": "All is done.",
    "weight": 1,
    "sub_tasks": [{"id": "a", "requirements": "Part: 1e5 # no comment", "weight": 2, "sub_tasks": []}],
}
ITEMS = {
    "one": {
        "input": "Q",
        "score_rubric": {"criteria": "Good?", "score1_description": "no", "score2_description": "yes"},
    },
    "two": {
        "input": "R",
        "score_rubric": {"criteria": "Fine?", "score1_description": "no", "score2_description": "yes"},
    },
}


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tree.json").write_text(json.dumps(TREE))
    (tmp_path / "items.json").write_text(json.dumps(ITEMS))
    return tmp_path


def test_list_shows_every_rubric_and_its_criteria():
    result = run("list")
    assert result.exit_code == 0
    assert all(name in result.stdout for name in library_files())
    listed = json.loads(run("list", "--json").stdout)
    assert [item["name"] for item in listed] == sorted(library_files())
    assert next(item for item in listed if item["name"] == "math-verify")["criteria"] == ["correct"]


def test_show_prints_the_file_as_it_is():
    result = run("show", "math-verify")
    assert result.exit_code == 0
    assert result.stdout == library_files()["math-verify"].read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", ["show", "check"])
def test_a_rubric_that_is_not_there_is_compared_with_those_that_are(verb):
    result = run(verb, "maths-verify")
    assert result.exit_code == 2
    assert "write 'math-verify'" in result.stderr
    assert result.stdout == ""


def test_check_says_ok_for_names_and_files(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ncriteria:\n- {id: a, ask: 'Is it?'}\n")
    result = run("check", path, "helpfulness")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{path}: ok (mine 1.0, 1 criteria)",
        "helpfulness: ok (helpfulness 1.0, 4 criteria)",
    ]
    assert result.stderr == ""


def test_check_gives_hints_without_failing(tmp_path):
    path = tmp_path / "bare.yaml"
    path.write_text("name: bare\n")
    result = run("check", path)
    assert result.exit_code == 0
    assert "hint: " in result.stderr
    assert "every input row has to bring some" in result.stderr


def test_one_broken_file_does_not_hide_the_others(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("name: x\nzebra: 1\n")
    result = run("check", path, "math-verify")
    assert result.exit_code == 2
    assert "math-verify: ok" in result.stdout
    assert f"{path}:2: zebra: unknown key" in result.stderr


def test_schema_prints_what_is_published():
    published = Path(__file__).parent.parent.parent / "docs" / "rubric.schema.json"
    assert run("schema").stdout == published.read_text(encoding="utf-8")


def test_every_verb_has_an_example():
    for verb in ("list", "show", "check", "schema", "import"):
        result = run(verb, "--help")
        assert result.exit_code == 0
        assert "Example" in result.stdout
        assert f"genrm rubric {verb}" in result.stdout


@pytest.mark.parametrize("ending", ["yaml", "json"])
def test_import_of_one_item_writes_a_rubric_that_loads(folder, ending):
    out = folder / f"out.{ending}"
    result = run("import", folder / "tree.json", "-o", out)
    assert result.exit_code == 0, result.stderr
    (leaf,) = load_rubric(out).leaves()
    assert "Part: 1e5 # no comment" in str(leaf.ask)
    assert load_rubric(out).name == "tree"
    assert result.stdout == ""


def test_import_of_a_data_set_writes_rows_and_their_rubric(folder):
    result = run("import", folder / "items.json", "-o", folder / "rows.jsonl", "--rubric-out", folder / "base.yaml")
    assert result.exit_code == 0, result.stderr
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["one", "two"]
    assert "2 rows have no response yet" in result.stderr
    assert load_rubric(folder / "base.yaml").criteria == ()


def test_the_rubric_of_the_rows_lies_beside_them_by_default(folder):
    assert run("import", folder / "items.json", "-o", folder / "rows.jsonl").exit_code == 0
    assert load_rubric(folder / "rows.rubric.yaml").name == "items"


def test_one_item_of_a_data_set_can_be_taken_out(folder):
    result = run("import", folder / "items.json", "--item", "two", "-o", folder / "two.yaml", "--name", "fine")
    assert result.exit_code == 0, result.stderr
    assert load_rubric(folder / "two.yaml").criteria[0].ask == "Fine?"
    assert load_rubric(folder / "two.yaml").name == "fine"


def test_nothing_is_overwritten_unasked(folder):
    out = folder / "out.yaml"
    out.write_text("mine")
    result = run("import", folder / "tree.json", "-o", out)
    assert result.exit_code == 2
    assert "--force" in result.stderr
    assert out.read_text() == "mine"
    assert run("import", folder / "tree.json", "-o", out, "--force").exit_code == 0
    assert load_rubric(out).name == "tree"


def test_neither_the_data_nor_the_other_output_is_overwritten(folder):
    lines = "".join(json.dumps(item) + "\n" for item in ITEMS.values())
    data = folder / "items.jsonl"
    data.write_text(lines)
    (folder / "link.jsonl").symlink_to(data)
    for target in (data, folder / "link.jsonl"):
        result = run("import", data, "-o", target, "--force")
        assert result.exit_code == 2
        assert "is the file that is read" in result.stderr
    assert data.read_text() == lines
    result = run("import", data, "-o", folder / "x.jsonl", "--rubric-out", folder / "x.jsonl")
    assert result.exit_code == 2
    assert "name two files" in result.stderr
    assert not (folder / "x.jsonl").exists()


@pytest.mark.parametrize("content", [{"foo": 1}, {**TREE, "sub_tasks": [{**TREE, "weight": -1}]}])
def test_faults_of_imports_name_the_file(folder, content):
    (folder / "odd.json").write_text(json.dumps(content))
    result = run("import", folder / "odd.json", "-o", folder / "x.yaml")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{folder / 'odd.json'}: ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["items.json", "-o", "x.yaml"], "--item KEY"),
        (["items.json", "-o", "x.yaml", "--item", "tow"], "did you mean 'two'"),
        (["items.json", "-o", "x.txt"], "rows end in .jsonl"),
        (["tree.json", "-o", "x.yaml", "--rubric-out", "y.yaml"], "goes with rows"),
        (["tree.json", "-o", "x.yaml", "--format", "csv"], "there is no such format"),
        (["tree.json", "-o", "x.yaml", "--format", "rar"], "data set"),
        (["nowhere.json", "-o", "x.yaml"], "cannot be read"),
        (["tree.json", "-o", "no/such/x.yaml"], "cannot be written"),
    ],
)
def test_what_cannot_be_imported_leaves_with_2_and_a_way_out(words, message, folder, monkeypatch):
    monkeypatch.chdir(folder)
    result = run("import", *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert isinstance(result.exception, SystemExit)
    assert not (folder / "x.yaml").exists()
