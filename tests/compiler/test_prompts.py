"""The prompts: what stands in them, what never does, and that their digest covers every template."""

import re
from pathlib import Path

import pytest
from prompt_tools import COMPACT, compact, fenced, full, make_rubric, make_sample

from genrm.compiler import render
from genrm.compiler.compile import compile_sample
from genrm.compiler.render import Page, prompt_digest
from genrm.resources import prompts_dir
from genrm.specs.sample import Sample, Turn


def test_the_material_stands_in_its_fences_in_this_order():
    sample = make_sample("R", prompt="P", context="C", reference=["A", "B"])
    parts = fenced(full(make_rubric(), sample)[1])
    assert [(name, text) for name, _, text in parts] == [
        ("prompt", "P"),
        ("context", "C"),
        ("reference 1", "A"),
        ("reference 2", "B"),
        ("response", "R"),
    ]
    codes = [code for _, code, _ in parts]
    assert len(set(codes[:-1])) == 1
    assert codes[-1] not in codes[:-1]


def test_each_turn_of_a_conversation_has_its_own_fence():
    turns = (Turn("system", "S"), Turn("user", "U"), Turn("assistant", "[user]\nV"), Turn("user", "W"))
    parts = fenced(full(make_rubric(), Sample("R", prompt=turns))[1])
    assert [(name, text) for name, _, text in parts[:-1]] == [
        ("turn 1 system", "S"),
        ("turn 2 user", "U"),
        ("turn 3 assistant", "[user]\nV"),
        ("turn 4 user", "W"),
    ]


def test_parts_that_a_sample_lacks_are_not_mentioned():
    _, user = full(make_rubric(), make_sample("R", prompt=None))
    assert [name for name, _, _ in fenced(user)] == ["response"]
    assert user.startswith("The response to judge:")
    assert "reference" not in user


@pytest.mark.parametrize("context", ["", " \n"])
def test_a_blank_context_is_none(context):
    _, user = full(make_rubric(), make_sample("R", context=context))
    assert [name for name, _, _ in fenced(user)] == ["prompt", "response"]


def test_the_last_words_come_after_the_response_and_name_its_code():
    _, user = full(make_rubric(), make_sample("R"))
    *_, (_, code, _) = fenced(user)
    tail = user.rpartition(f"<<<end response {code}>>>")[2]
    assert code in tail
    assert tail.endswith("the critique first, then the label.")
    assert len(tail) < 300


def test_questions_labels_and_meanings_are_listed():
    rubric = make_rubric(
        {"id": "tone", "ask": "Is it polite?", "scale": [
            {"label": "rude", "value": 0, "means": "It insults."}, {"label": "so-so", "value": 1},
            {"label": 'say "hi"', "value": 2, "means": "It greets."}]},
        {"id": "depth", "ask": "How deep is it?", "scale": {"likert": 5, "anchors": {1: "Shallow.", 5: "Deep."}}},
        {"id": "share", "ask": "Which share?", "scale": {"min": 0, "max": 100, "step": 10}},
        {"id": "right", "ask": "Is it right?"},
        principles=["Judge the text.", {"text": "Sounding sure.", "kind": "negative"}],
    )  # fmt: skip
    system, _ = full(rubric, make_sample())
    assert (
        '1. `tone`\n  Is it polite?\n  Labels, and what each means:\n  - "rude": It insults.\n  - "so-so"\n' in system
    )
    assert '  - "say \\"hi\\"": It greets.\n' in system
    assert (
        '2. `depth`\n  How deep is it?\n  Label: a whole number from 1 (least) to 5 (most).\n  - "1": Shallow.\n'
        '  - "5": Deep.\n'
    ) in system
    assert "a whole number from 0 (least) to 100 (most), in steps of 10." in system
    assert '4. `right`\n  Is it right?\n  Labels: "no", "yes".\n' in system
    assert "- Judge the text.\n- This must not count in favour: Sounding sure.\n" in system
    ids = ["tone", "depth", "share", "right"]
    assert "{" + ",".join(f'"{id}":{{"critique":"…","label":"…"}}' for id in ids) + "}" in system


def test_a_single_question_is_answered_without_its_id():
    system, _ = full(make_rubric(), make_sample())
    assert '\n{"critique":"…","label":"…"}\n' in system
    assert "`good`" not in system


@pytest.mark.parametrize("capabilities", [COMPACT, None])
def test_no_weight_or_vote_or_value_is_shown(capabilities):
    scale = [{"label": "bad", "value": -17.25, "means": "Bad."}, {"label": "fine", "value": 93.5, "means": "Fine."}]
    rubric = make_rubric(
        {"id": "a", "ask": "Is it fine?", "weight": -41.75, "scale": scale},
        {"id": "b", "ask": "Ok?", "kind": "pitfall"},
        ask="separate", vote={"n": 13, "rule": "majority"},
    )  # fmt: skip
    options = {"capabilities": capabilities} if capabilities else {}
    text = "".join(
        m["content"] for request in compile_sample(rubric, make_sample(), **options) for m in request.messages
    )
    # Codes are random digits, and no words.
    text = re.sub(r"\b[0-9a-f]{16}\b", "", text)
    for secret in ("17.25", "93.5", "41.75", "13", "pitfall", "weight", "reward", "vote", "majority", "negative"):
        assert secret not in text


def test_verify_tells_to_compare_final_answers_and_what_must_not_sway():
    system, _ = full(make_rubric(protocol="verify"), make_sample(reference=["4"]))
    other, _ = full(make_rubric(), make_sample(reference=["4"]))
    for words in ("Compare final answers only", "confidence", "length", "claims that the answer was checked"):
        assert words in system
        assert words not in other.partition("## Rules")[0]


def test_a_rubric_without_critique_asks_for_none():
    system, user = full(make_rubric(critique=False), make_sample())
    assert "critique" not in system + user
    assert '\n{"label":"…"}\n' in system


def test_thinking_is_asked_for_where_the_plan_has_it():
    thinking, _ = full(make_rubric(think=True), make_sample())
    assert "end your thinking with </think>" in thinking
    assert "think" not in full(make_rubric(), make_sample())[0].lower()


def test_the_length_asked_for_stays_below_the_budget():
    assert "at most 60 words" in full(make_rubric(critique_tokens=100), make_sample())[0]
    assert "at most 1 words" in full(make_rubric(critique_tokens=1), make_sample())[0]


def test_messages_have_no_stray_blank_lines():
    for text in full(make_rubric(), make_sample("R", context="C", reference=["A"])):
        assert text == text.strip()
        assert "\n\n\n" not in text


def test_the_compact_prompt_is_exactly_this():
    rubric = make_rubric({"id": "a", "ask": "Is it {x}?"}, principles=["Unseen."])
    assert compact(rubric, make_sample("R\n", prompt="P", context="C")) == "<|criterion|>Is it {x}?<|response|>R\n"
    sample = make_sample("R", reference=["4", "four"])
    assert compact(rubric, sample) == "<|criterion|>Is it {x}?<|response|>R"
    verify = make_rubric({"id": "a", "ask": "Is it {x}?"}, protocol="verify")
    assert compact(verify, sample) == "<|criterion|>Is it {x}?<|reference|>4 / four<|response|>R"


def test_a_page_is_filled_in_one_pass():
    page = Page()
    first = page.put("\x001\x00 {{ 7 * 7 }}")
    second = page.put("{reference} %s")
    assert page.fill(f"{second}|{first}|{second}") == "{reference} %s|\x001\x00 {{ 7 * 7 }}|{reference} %s"


@pytest.mark.parametrize("style", ["full", "compact"])
def test_the_digest_covers_every_byte_of_every_template(style, tmp_path, monkeypatch):
    digests = {prompt_digest(style)}
    files = sorted((prompts_dir() / style).glob("*.j2"))
    monkeypatch.setattr(render, "prompts_dir", lambda: tmp_path)
    for changed in files:
        (tmp_path / style).mkdir(exist_ok=True)
        for file in files:
            body = file.read_bytes()
            (tmp_path / style / file.name).write_bytes(body + b" " if file == changed else body)
        digests.add(prompt_digest.__wrapped__(style))
    assert len(digests) == len(files) + 1
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", digest) for digest in digests)


def test_line_ends_of_a_checkout_do_not_change_the_digest(tmp_path, monkeypatch):
    (tmp_path / "full").mkdir()
    for file in (prompts_dir() / "full").glob("*.j2"):
        (tmp_path / "full" / file.name).write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    monkeypatch.setattr(render, "prompts_dir", lambda: tmp_path)
    assert prompt_digest.__wrapped__("full") == prompt_digest("full")


def test_every_template_is_used_and_explained():
    readme = (prompts_dir() / "README.md").read_text(encoding="utf-8")
    files = [Path(path) for path in (prompts_dir() / "full").iterdir()]
    assert files
    for file in files:
        assert f"`{file.name}`" in readme
