"""Which requests a rubric and a sample become, and what decides their bytes."""

import dataclasses
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_tools import COMPACT, full, make_rubric, make_sample

from genrm.compiler.compile import compile_sample
from genrm.compiler.output import Thinking
from genrm.engines.base import Capabilities
from genrm.errors import InputError

JUDGED = [{"id": name, "ask": f"Is it {name}?"} for name in ("tidy", "brief", "apt")]
CHECK = {"id": "short", "check": {"length": {"unit": "words", "max": 9}}}


def slots(rubric, sample=None, **options):
    return [list(request.output.slots) for request in compile_sample(rubric, sample or make_sample(), **options)]


def test_joint_criteria_share_one_request_in_rubric_order():
    assert slots(make_rubric(*JUDGED)) == [["tidy", "brief", "apt"]]


@pytest.mark.parametrize("options", [{"ask": "separate"}, {}])
def test_else_each_criterion_has_its_own_request_in_rubric_order(options):
    capabilities = Capabilities() if options else Capabilities(joint=False)
    assert slots(make_rubric(*JUDGED, **options), capabilities=capabilities) == [["tidy"], ["brief"], ["apt"]]


def test_the_compact_style_asks_one_at_a_time_whatever_the_engine_says():
    assert slots(make_rubric(*JUDGED), capabilities=Capabilities(prompts="compact")) == [["tidy"], ["brief"], ["apt"]]


def test_checks_are_not_asked_and_groups_are_asked_through_their_leaves():
    group = {"id": "form", "criteria": [JUDGED[0], CHECK, {"id": "inner", "criteria": [JUDGED[1]]}]}
    assert slots(make_rubric(group, JUDGED[2])) == [["tidy", "brief", "apt"]]
    assert compile_sample(make_rubric(CHECK), make_sample()) == []


def test_criteria_of_the_sample_come_after_those_of_the_rubric():
    sample = make_sample(criteria=[JUDGED[2]])
    assert slots(make_rubric(*JUDGED[:2]), sample) == [["tidy", "brief", "apt"]]


def test_a_clash_of_ids_is_bad_input():
    with pytest.raises(InputError, match=r"field 'criteria'.*'tidy' is used twice"):
        compile_sample(make_rubric(*JUDGED), make_sample(criteria=JUDGED[:1]))


def test_verify_without_a_reference_is_bad_input_that_says_what_to_do():
    with pytest.raises(InputError, match=r"field 'reference' is missing.*--field reference=NAME"):
        compile_sample(make_rubric(protocol="verify"), make_sample())


def test_a_criterion_that_must_not_see_the_reference_is_asked_without_it():
    blind = {"id": "blind", "ask": "Is it polite?", "sees_reference": False}
    rubric = make_rubric(JUDGED[0], blind, JUDGED[1], protocol="verify")
    seeing, unseeing = compile_sample(rubric, make_sample(reference=["zebra"]))
    assert (list(seeing.output.slots), list(unseeing.output.slots)) == (["tidy", "brief"], ["blind"])
    assert "zebra" in seeing.messages[1]["content"]
    assert "zebra" not in str(unseeing.messages)
    assert "reference" not in str(unseeing.messages)


def test_without_a_reference_there_is_nothing_to_hide():
    blind = {"id": "blind", "ask": "Is it polite?", "sees_reference": False}
    assert slots(make_rubric(JUDGED[0], blind)) == [["tidy", "blind"]]


def test_the_plan_follows_the_rubric():
    rubric = make_rubric({"id": "good", "ask": "?", "scale": "likert-5"}, critique=False, think=True, think_tokens=9)
    (request,) = compile_sample(rubric, make_sample(), seeds=[4, 5], temperature=0.7)
    assert request.output.slots == {"good": ("1", "2", "3", "4", "5")}
    assert not request.output.critique
    assert request.output.thinking == Thinking("</think>", 9)
    assert (request.seeds, request.temperature, request.sample_id) == ((4, 5), 0.7, "s")
    (small,) = compile_sample(rubric, make_sample(), capabilities=COMPACT)
    assert small.output.thinking is None


@pytest.mark.parametrize("capabilities", [Capabilities(), COMPACT])
def test_weights_votes_rewards_and_seeds_change_nothing_that_a_judge_reads(capabilities):
    plain = make_rubric({"id": "good", "ask": "Is it good?"})
    loaded = make_rubric(
        {"id": "good", "ask": "Is it good?", "weight": -37.5, "constraint": True, "score": "expected"},
        vote={"n": 7, "rule": "majority"},
        on_missing="skip",
        description="secret",
        version="9",
    )
    kinded = make_rubric({"id": "good", "ask": "Is it good?", "kind": "pitfall"})
    (first,) = compile_sample(plain, make_sample(), capabilities=capabilities)
    for rubric, options in [(loaded, {"seeds": (1, 2, 3), "temperature": 0.7}), (kinded, {}), (plain, {"seeds": (9,)})]:
        (other,) = compile_sample(rubric, make_sample(), capabilities=capabilities, **options)
        assert other.messages == first.messages
        assert other.output == first.output


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_responses_to_one_prompt_share_every_byte_before_the_response(one, other):
    rubric = make_rubric(*JUDGED, protocol="verify", principles=["Be strict."])
    shared = {"prompt": "2+2?", "reference": ["4", "four"], "context": "A sum."}
    (system, user), (system_2, user_2) = (full(rubric, make_sample(text, **shared)) for text in (one, other))
    assert system == system_2
    opening = "<<<response "
    assert user.partition(opening)[0] == user_2.partition(opening)[0]
    assert user.partition(opening)[0].endswith("The response to judge:\n\n")
    assert "4" in user.partition(opening)[0]


def test_the_system_message_is_shared_by_all_samples_of_a_rubric():
    rubric = make_rubric(*JUDGED)
    systems = {full(rubric, make_sample(text, prompt=text, context=text))[0] for text in ("a", "b", "c")}
    assert len(systems) == 1


@given(st.text(min_size=1), st.text(), st.text(max_size=5))
def test_same_input_same_bytes(response, prompt, reference):
    rubric = make_rubric(*JUDGED)
    sample = make_sample(response, prompt=prompt, reference=[reference])
    assert compile_sample(rubric, sample) == compile_sample(rubric, dataclasses.replace(sample))


def test_bytes_do_not_depend_on_the_process():
    code = (
        "from prompt_tools import *; r = make_rubric({'id': 'a', 'ask': 'Ä?'}, {'id': 'b', 'ask': 'B?'}); "
        "import sys; sys.stdout.buffer.write(repr(compile_sample(r, make_sample(reference=['4']))).encode())"
    )
    outputs = set()
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.path.dirname(__file__)}
        outputs.add(
            subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout
        )
    assert len(outputs) == 1
    assert b"\xc3\x84?" in outputs.pop()
