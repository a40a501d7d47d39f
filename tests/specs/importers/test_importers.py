"""Importers on small items: what each format becomes, how it is recognised, and what is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrm.errors import SpecError
from genrm.specs.criterion import ID_PATTERN
from genrm.specs.importers import FORMATS, detect, import_rows, import_rubric, read_data, rubric_name
from genrm.specs.importers.base import slug, unique
from genrm.specs.load import load_rubric

BIGGEN = {
    "id": "plan_0",
    "system_prompt": "You plan.",
    "input": "Plan a day.",
    "reference_answer": "Museum, lunch, park.",
    "response": "Park.",
    "score_rubric": {"criteria": "Is the plan good?"} | {f"score{n}_description": f"level {n}" for n in range(1, 6)},
}
PROMETHEUS = {
    "orig_instruction": "Say hello.",
    "orig_response": "Hello.",
    "orig_reference_answer": "Hello!",
    "orig_criteria": "Is it a greeting?",
} | {f"orig_score{n}_description": f"level {n}" for n in range(1, 6)}
HEALTHBENCH = {
    "prompt_id": "p1",
    "prompt": [{"role": "user", "content": "My head hurts."}],
    "rubrics": [
        {"criterion": "Names a warning sign", "points": 8, "tags": ["axis:completeness"]},
        {"criterion": "Names a warning sign", "points": 2, "tags": []},
        {"criterion": "Says nothing of use", "points": 0, "tags": []},
        {"criterion": "Diagnoses a tumour", "points": -6.5, "tags": []},
    ],
}
RAR = {
    "question": "What is the dose?",
    "reference_answer": "5 mg",
    "rubric": [
        {"title": "Dose", "description": "Essential Criteria: States 5 mg.", "weight": 5},
        {"title": "Reason", "description": "Important Criteria: Gives the reason.", "weight": 3},
        {"title": "Style", "description": "Optional criterion: Is brief.", "weight": 1},
        {"title": "Overdose", "description": "Pitfall Criteria: Recommends more than 10 mg.", "weight": -2},
        {"title": "No overdose", "description": "Avoids a dose above 10 mg.", "category": "Pitfall"},
        {"title": "Units", "description": "Gives the unit.", "weight": 2},
    ],
}
LEAF = {"task_category": "Code Development", "sub_tasks": []}
PAPERBENCH = {
    "id": "root",
    "requirements": "The paper is reproduced.",
    "weight": 1,
    "sub_tasks": [
        {"id": "7f-a", "requirements": "The model is built.", "weight": 3} | LEAF,
        {"id": "dead", "requirements": "Nobody needs this.", "weight": 0, "sub_tasks": [{"requirements": "x"}]},
        {
            "id": "b",
            "requirements": "The results are there.",
            "weight": 1,
            "sub_tasks": [
                {"id": "c", "requirements": "Table 1.", "weight": 2} | LEAF,
                {"id": "c", "requirements": "Table 2.", "weight": 1} | LEAF,
            ],
        },
    ],
}
ITEMS = {"biggen": BIGGEN, "healthbench": HEALTHBENCH, "rar": RAR, "paperbench": PAPERBENCH}
SHAPES = [
    *ITEMS.items(),
    ("biggen", PROMETHEUS),
    ("biggen", BIGGEN["score_rubric"]),
    ("healthbench", HEALTHBENCH["rubrics"]),
    ("rar", RAR["rubric"]),
    ("rar", RAR | {"rubric": json.dumps(RAR["rubric"])}),
]


@pytest.mark.parametrize(("name", "data"), SHAPES)
def test_formats_are_told_apart_and_make_valid_rubrics(name, data):
    assert [key for key, importer in FORMATS.items() if importer.matches(data)] == [name]
    assert detect(data).name == detect([data]).name == detect({"k": data}).name == name
    rubric = load_rubric(import_rubric(data, name="test"))
    assert rubric.name == "test"
    assert list(rubric.leaves())


@pytest.mark.parametrize(
    "data", [[], {}, None, 5, "x", [1], [{"id": "a", "ask": "?"}], {"rubric": []}, {"score_rubric": 3}, [[]]]
)
def test_what_is_no_known_format_is_said_so_with_the_formats(data):
    with pytest.raises(SpecError, match=r"biggen .*healthbench .*rar .*paperbench"):
        detect(data)


def test_a_score_rubric_becomes_an_anchored_likert_scale():
    (criterion,) = load_rubric(import_rubric(BIGGEN, name="x")).criteria
    assert criterion.ask == "Is the plan good?"
    assert [label.means for label in criterion.scale.labels] == [f"level {n}" for n in range(1, 6)]


def test_a_score_rubric_with_a_gap_is_refused():
    rubric = {key: value for key, value in BIGGEN["score_rubric"].items() if "3" not in key}
    with pytest.raises(SpecError, match="every score from 1"):
        import_rubric(rubric, name="x")


def test_points_keep_their_sign_and_repeated_statements_get_their_own_ids():
    rubric = load_rubric(import_rubric(HEALTHBENCH, name="x"))
    assert rubric.reward.aggregate == "points"
    assert [(leaf.id, leaf.weight) for leaf in rubric.leaves()] == [
        ("names-a-warning-sign", 8),
        ("names-a-warning-sign-2", 2),
        ("diagnoses-a-tumour", -6.5),
    ]
    assert all("warning sign" in str(leaf.ask) or "tumour" in str(leaf.ask) for leaf in rubric.leaves())


def test_points_without_anything_to_earn_are_refused():
    with pytest.raises(SpecError, match="positive points"):
        import_rubric([{"criterion": "Lies", "points": -1}], name="x")


@pytest.mark.parametrize("points", ["5", None, True, float("nan"), float("inf")])
def test_points_are_finite_numbers(points):
    with pytest.raises(SpecError, match=r"rubrics\[0\]\.points: a number is needed"):
        import_rubric([{"criterion": "Is true", "points": points}], name="x")


def test_categories_give_weights_and_the_sign_says_whether_the_text_is_a_fault():
    leaves = {leaf.id: leaf for leaf in load_rubric(import_rubric(RAR, name="x")).leaves()}
    assert {name: leaf.effective_weight for name, leaf in leaves.items()} == {
        "dose": 1.0,
        "reason": 0.7,
        "style": 0.3,
        "overdose": -0.9,
        "no-overdose": 0.9,
        "units": 2,
    }
    assert leaves["overdose"].kind == "pitfall"
    assert str(leaves["dose"].ask).endswith("States 5 mg.")
    assert "Essential" not in str(leaves["dose"].ask)


def test_a_tree_keeps_its_shape_weights_and_texts_and_drops_what_weighs_nothing():
    rubric = load_rubric(import_rubric(PAPERBENCH, name="x"))
    first, second = rubric.criteria
    assert (first.id, first.weight, second.id, second.weight) == ("n-7f-a", 3, "n-b", 1)
    assert "The model is built." in str(first.ask)
    assert second.ask == "The results are there."
    assert [(leaf.id, leaf.weight) for leaf in second.leaves()] == [("n-c", 2), ("n3.2", 1)]
    assert rubric.description == "The paper is reproduced."


def test_ids_are_the_same_in_every_import():
    assert import_rubric(PAPERBENCH, name="x") == import_rubric(json.loads(json.dumps(PAPERBENCH)), name="x")


def test_where_no_child_counts_the_parent_is_asked_itself():
    hollow = PAPERBENCH | {
        "sub_tasks": [PAPERBENCH["sub_tasks"][2] | {"sub_tasks": [{"requirements": "x", "weight": 0} | LEAF]}]
    }
    (leaf,) = load_rubric(import_rubric(hollow, name="x")).leaves()
    assert "The results are there." in str(leaf.ask)
    (root,) = load_rubric(import_rubric(PAPERBENCH | {"sub_tasks": [], "weight": 0}, name="x")).leaves()
    assert "The paper is reproduced." in str(root.ask)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weight": -1}, "not negative"),
        ({"weight": "1"}, "a number is needed"),
        ({"requirements": " "}, "a text is needed"),
    ],
)
def test_broken_nodes_are_named_by_their_place(change, words):
    tree = PAPERBENCH | {"sub_tasks": [PAPERBENCH["sub_tasks"][0] | change]}
    with pytest.raises(SpecError, match=words):
        import_rubric(tree, name="x")


def test_a_tree_that_never_ends_is_refused():
    tree = {"id": "a", "requirements": "x", "weight": 1, "sub_tasks": []}
    for _ in range(500):
        tree = {"id": "a", "requirements": "x", "weight": 1, "sub_tasks": [tree]}
    with pytest.raises(SpecError, match="levels"):
        import_rubric(tree, name="x")


def test_hundreds_of_leaves_are_fine():
    leaves = [{"requirements": f"Leaf {n}.", "weight": n + 1, "sub_tasks": []} for n in range(900)]
    rubric = load_rubric(import_rubric({"requirements": "x", "weight": 1, "sub_tasks": leaves}, name="x"))
    assert len({leaf.id for leaf in rubric.leaves()}) == 900


def test_a_data_set_becomes_rows_and_a_rubric_without_criteria():
    imported = import_rows({"one": BIGGEN, "two": BIGGEN | {"id": None}}, name="set")
    assert load_rubric(imported.rubric).criteria == ()
    first, second = imported.rows
    assert (first["id"], second["id"]) == ("plan_0", "two")
    assert first["prompt"] == [{"role": "system", "content": "You plan."}, {"role": "user", "content": "Plan a day."}]
    assert (first["response"], first["reference"]) == ("Park.", "Museum, lunch, park.")
    assert first["criteria"][0]["scale"]["likert"] == 5


@pytest.mark.parametrize("name", ITEMS)
def test_rows_of_every_format_can_be_judged_once_they_have_a_response(name):
    from genrm.specs.sample import Sample

    imported = import_rows([ITEMS[name]], name="set")
    row = json.loads(json.dumps(imported.rows[0])) | {"response": "x"}
    rubric = load_rubric(imported.rubric).with_criteria(Sample.from_row(row).criteria)
    assert list(rubric.leaves()) == list(load_rubric(import_rubric(ITEMS[name], name="set")).leaves())


def test_broken_items_of_a_data_set_are_named_and_counted():
    with pytest.raises(SpecError) as caught:
        import_rows(
            [HEALTHBENCH, {"rubrics": []}, HEALTHBENCH | {"rubrics": [{"criterion": "", "points": 1}]}], name="x"
        )
    assert [fault.field for fault in caught.value.faults] == ["1", "2.rubrics[0].criterion"]
    with pytest.raises(SpecError, match="and 80 more faults"):
        import_rows([HEALTHBENCH, *[{}] * 100], name="x")


def test_files_are_json_or_json_lines(tmp_path):
    whole, lines, broken = tmp_path / "a.json", tmp_path / "b.jsonl", tmp_path / "c.jsonl"
    whole.write_bytes(b"\xef\xbb\xbf" + json.dumps([1, 2]).encode())
    lines.write_text('{"a": 1}\n\n{"b": 2}\n')
    broken.write_text('{"a": 1}\n{"b"\n')
    assert read_data(whole) == [1, 2]
    assert read_data(lines) == [{"a": 1}, {"b": 2}]
    with pytest.raises(SpecError, match=r"c\.jsonl:2: is not JSON"):
        read_data(broken)
    whole.write_text("[\n1,\n{]\n")
    with pytest.raises(SpecError, match=r"a\.json:3: is not JSON"):
        read_data(whole)
    whole.write_text("")
    with pytest.raises(SpecError, match="Fix"):
        read_data(whole)
    with pytest.raises(SpecError, match="cannot be read"):
        read_data(tmp_path)


@given(st.text(max_size=80))
def test_slugs_are_always_ids(text):
    import re

    assert re.fullmatch(ID_PATTERN, slug(text))
    assert rubric_name(text)


@given(st.lists(st.sampled_from(["a", "a-2", "a-3", "b"]), max_size=8))
def test_unique_names_are_unique_and_keep_their_first_spelling(names):
    result = unique(names)
    assert len(set(result)) == len(names)
    assert all(new.startswith(old) for new, old in zip(result, names, strict=True))
