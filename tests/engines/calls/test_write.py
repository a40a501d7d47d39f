"""From a plan to completions, against callers that are scripted or walk at random over what the plan allows."""

import asyncio
import dataclasses
import json
import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from walk_model import Walk

from genrm.compiler.output import FREE_TEXT, Free, Thinking, plan_output
from genrm.compiler.request import JudgeRequest
from genrm.engines.base import SlotReading, Usage
from genrm.engines.calls.asking import Settings
from genrm.engines.calls.call import Offers, Reply, Token
from genrm.engines.calls.write import write
from genrm.errors import DeadlineError, EngineError, JudgeError, RateLimitedError, RefusedError, RunStoppedError

MESSAGES = ({"role": "user", "content": "2+2=4?"},)
BINARY = {"correct": ("no", "yes")}
NASTY = [
    {"q": ("1", "10", "100", "2")},
    {"q": ("tie", "tied", "ti")},
    {"q": ("größer", "größte", "短い", "🙂", "🙃")},
    {"q": ('say "hi"', "back\\slash", "new\nline", "{}", '","label":"')},
    {"a": ("no", "yes"), "b": ("1", "10")},
]
GOOD = '{"critique":"It is 4.","label":"yes"}'
EVERYTHING = Offers("regex", prefill=True, top_logprobs=10_000, n=True, seeds=True)


class Scripted:
    """A caller that answers from a list, and keeps what it was asked."""

    def __init__(self, *answers, **offers):
        self.answers, self.calls = list(answers), []
        self.offers = Offers(**offers)

    async def call(self, call):
        self.calls.append(call)
        found = []
        for _ in call.seeds:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                if not isinstance(answer, JudgeError) or len(call.seeds) == 1:
                    raise answer
                found.append(answer)
                continue
            answer = Reply(answer) if isinstance(answer, str) else answer
            found.append(dataclasses.replace(answer, usage=Usage(1, 10, 0, 5)))
        return found

    async def read_slot(self, call, labels):
        self.calls.append(call)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def ask(caller, slots=BINARY, *, settings=None, seeds=(0,), timeout_s=None, tokens=12, **plan):
    request = JudgeRequest(
        MESSAGES, plan_output(slots, critique_tokens=tokens, **plan), seeds, 1.0, timeout_s=timeout_s
    )
    return asyncio.run(write(request, caller, settings or Settings()))


def cut(text, **more):
    return Reply(text, "length", **more)


def spelled(text, size=3, **tops):
    """Tokens of ``size`` bytes; ``tops`` gives alternatives to those that spell a key."""
    data = text.encode()
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    return tuple(Token(piece, -0.1, tops.get(piece.decode(errors="replace"), ((piece, -0.1),))) for piece in pieces)


# The usual path.


def test_one_call_for_all_votes():
    caller = Scripted(GOOD, GOOD, grammar="regex", top_logprobs=20)
    found = ask(caller, seeds=(3, 4))
    [call] = caller.calls
    plan = plan_output(BINARY, critique_tokens=12)
    assert (call.constraint.regex, call.constraint.json_schema) == (plan.regex, plan.json_schema)
    assert (call.seeds, call.max_tokens, call.top_logprobs, call.temperature) == ((3, 4), plan.max_tokens, 20, 1.0)
    assert [completion.text for completion in found] == [GOOD, GOOD]
    assert found[0].slots == {}
    assert sum((completion.usage for completion in found), Usage()) == Usage(2, 20, 0, 10)


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(NASTY), st.integers(0, 10**6), st.booleans(), st.sampled_from([0.0, 3.0]))
def test_any_walk_over_the_plan_gives_the_true_distributions(slots, salt, critique, long):
    """Random tokenisations over labels that share beginnings, quotes, characters; critiques that are cut."""
    walk = Walk(EVERYTHING, salt=str(salt), long=long)
    found = ask(walk, slots, seeds=(salt, salt + 1), critique=critique)
    plan = plan_output(slots, critique_tokens=12, critique=critique)
    exact = Walk(dataclasses.replace(EVERYTHING, exact=True), salt=str(salt), long=long)
    for completion, other in zip(found, ask(exact, slots, seeds=(salt, salt + 1), critique=critique), strict=True):
        answer = plan.parse(completion.text)
        assert completion.text == other.text
        assert completion.text.startswith('{"')
        for slot, reading in completion.slots.items():
            assert list(reading.p) == list(slots[slot])
            assert sum(reading.p.values()) == pytest.approx(1)
            assert reading.p[answer.labels[slot]] > 0
        assert set(other.slots) == set(slots)


@pytest.mark.parametrize("slots", NASTY[:3])
def test_a_distribution_behind_a_quote_token_is_the_true_one(slots):
    """With no token that runs over the opening quote, the slot is one place and its truth is the model's own."""
    for salt in range(12):
        walk = Walk(EVERYTHING, salt=str(salt))
        walk.vocabulary = tuple(v for v in walk.vocabulary if b'"' not in v[:-1] or v in (b'"}', b'","'))
        [completion] = ask(walk, slots, seeds=(salt,), critique=False)
        start = completion.text.index('"label":"') + 9
        reading = completion.slots.get("q")
        # An alternative that ends inside a character can be continued by no call.
        assert reading is not None or slots is NASTY[2]
        if reading is not None:
            truth = walk.truth(completion.text[:start].encode(), slots["q"])
            assert reading.p == pytest.approx(truth, abs=2e-3)


def test_without_masks_the_mass_outside_is_known():
    tops = {"yes": ((b"yes", math.log(0.6)), (b"no", math.log(0.2)), (b"why", math.log(0.1)))}
    text = '{"critique":"","label":"yes"}'
    assert text.index("yes") % 3 == 0
    [completion] = ask(
        Scripted(Reply(text, tokens=spelled(text, **tops)), grammar="regex", top_logprobs=3, masked=False)
    )
    assert completion.slots["correct"].p == pytest.approx({"no": 0.25, "yes": 0.75})
    assert completion.slots["correct"].outside == pytest.approx(0.2)


def test_an_open_alternative_that_no_call_can_split_leaves_no_distribution_unless_it_is_trusted():
    text = '{"critique":"","label":"7"}'
    tops = {"7": tuple((label.encode(), math.log(p)) for label, p in (("7", 0.6), ("1", 0.3), ("10", 0.1)))}

    def reading(**how):
        caller = Scripted(Reply(text, tokens=spelled(text, 1, **tops)), grammar="json_schema", top_logprobs=3)
        [completion] = ask(caller, {"q": ("1", "7", "10")}, settings=Settings(**how))
        return completion.slots

    assert reading() == {}
    assert reading(whole_tokens=True)["q"].p == pytest.approx({"1": 0.3, "7": 0.6, "10": 0.1})


def test_the_tokens_of_a_critique_are_kept():
    text = '{"critique":"ab","label":"yes"}'
    tops = ((b"x", -2.4), (b"y", -3.1))
    tokens = tuple(dataclasses.replace(token, top=((token.data, token.logprob), *tops)) for token in spelled(text, 1))
    caller = Scripted(Reply(text, tokens=tokens), grammar="regex", top_logprobs=3)
    [completion] = ask(caller, settings=Settings(marks=frozenset("b"), alternatives=2))
    found = completion.tokens["correct"]
    assert [token.text for token in found] == ["a", "b", '"']
    assert all(token.p == pytest.approx(math.exp(-0.1)) for token in found)
    for token in found:
        kept = {"b": pytest.approx(math.exp(-0.1)), "x": pytest.approx(math.exp(-2.4))}
        assert token.alternatives == (kept if token.text == "b" else {})


def test_tokens_that_do_not_spell_the_text_show_nothing():
    [completion] = ask(Scripted(Reply(GOOD, tokens=spelled("x" + GOOD)), grammar="regex", top_logprobs=2))
    assert completion.text == GOOD
    assert completion.slots == {} == completion.tokens


# Exact slots.


def test_exact_slots_are_read_behind_the_critique_and_keep_the_label():
    reading = SlotReading({"no": 0.9, "yes": 0.1}, 0.3)
    caller = Scripted(GOOD, reading, grammar="regex", prefill=True, exact=True, top_logprobs=20)
    [completion] = ask(caller, settings=Settings(exact_slots=True))
    assert completion.slots == {"correct": reading}
    assert json.loads(completion.text)["label"] == "yes"
    assert caller.calls[0].top_logprobs == 0
    assert caller.calls[1].prefill == '{"critique":"It is 4.","label":"'


def test_a_slot_that_cannot_be_read_fails_no_verdict():
    caller = Scripted(GOOD, EngineError("no"), grammar="regex", exact=True, top_logprobs=20)
    [completion] = ask(caller)
    assert completion.slots == {}
    assert completion.text == GOOD


# Broken answers.


@pytest.mark.parametrize("grammar", ["regex", "json_schema", "json_object", "none"])
def test_a_broken_answer_is_asked_for_again_with_its_fault(grammar):
    caller = Scripted("Sure!", '{"critique":"x","label":"maybe"}', GOOD, grammar=grammar)
    [completion] = ask(caller)
    assert completion.text == GOOD
    assert completion.usage == Usage(3, 30, 0, 15)
    first, second, third = caller.calls
    assert first.messages == MESSAGES
    assert second.messages[:-1] == (*MESSAGES, {"role": "assistant", "content": "Sure!"})
    assert "not one JSON object" in second.messages[-1]["content"]
    assert third.messages[1]["content"] == '{"critique":"x","label":"maybe"}'
    assert 'label is not one of "no", "yes"' in third.messages[-1]["content"]
    assert len(third.messages) == 3


def test_an_answer_that_stays_broken_is_unparseable_and_its_usage_counts():
    caller = Scripted("Sure!", "Yes!", "No!", grammar="none")
    [completion] = ask(caller)
    assert (completion.text, completion.cut, completion.usage.requests) == ("No!", False, 3)
    caller = Scripted("Sure!", grammar="none")
    ask(caller, settings=Settings(reasks=0))
    assert len(caller.calls) == 1


def test_votes_fail_one_by_one_and_keep_what_they_cost():
    refused = RefusedError("I cannot judge that")
    caller = Scripted(GOOD, refused, "Sure!", RateLimitedError("slow down"), grammar="none")
    good, second, third = ask(caller, seeds=(1, 2, 3))
    assert good.text == GOOD
    assert second is refused
    assert isinstance(third, RateLimitedError)
    assert third.usage == Usage(1, 10, 0, 5)


def test_what_stops_the_run_is_no_outcome_of_a_vote():
    with pytest.raises(RunStoppedError):
        ask(Scripted("Sure!", GOOD, RunStoppedError("budget"), grammar="none"), seeds=(1, 2))
    with pytest.raises(RefusedError):
        ask(Scripted(RefusedError("no"), grammar="none"))


def test_a_fence_around_an_answer_is_no_fault_without_a_grammar():
    text = f"```json\n{GOOD}\n```"
    tops = {"yes": ((b"yes", math.log(0.9)), (b"no", math.log(0.1)))}
    tokens = spelled("x" * (-(text.index("yes")) % 3) + text, **tops)
    tokens = (dataclasses.replace(tokens[0], data=tokens[0].data.lstrip(b"x")), *tokens[1:])
    [completion] = ask(Scripted(Reply(text, tokens=tokens), grammar="none", top_logprobs=2))
    assert completion.text == GOOD
    assert completion.slots["correct"].p == pytest.approx({"no": 0.1, "yes": 0.9})


# Cut answers.


@pytest.mark.parametrize("end", range(len('{"critique":"It is\\n \\u00e9","label":"yes"}')))
def test_cut_anywhere_the_rest_is_asked_for_behind_it(end):
    text = '{"critique":"It is\\n \\u00e9","label":"yes"}'
    rest = ('no"}', '{"critique":"new","label":"no"}'[len('{"critique":"') :])
    caller = Scripted(cut(text[:end]), rest[end < 13], grammar="regex", prefill=True)
    [completion] = ask(caller)
    answer = plan_output(BINARY, critique_tokens=12).parse(completion.text)
    assert not completion.cut
    inside = 13 <= end < text.index('","label') + 0
    assert completion.closed == (("correct",) if 13 <= end <= text.index('","label') else ())
    if end < text.index("yes") + 4 and not text[:end].endswith('yes"'):
        [_, behind] = caller.calls
        assert completion.text.startswith(behind.prefill)
        assert text.startswith(behind.prefill[:-11]) or inside
        assert behind.constraint.json_schema is None
        assert answer.labels == {"correct": "no"}
    else:
        assert answer.labels == {"correct": "yes"}


def test_a_plan_that_is_cut_again_and_again_ends():
    slots = {"a": ("no", "yes"), "b": ("1", "2"), "c": ("x", "y")}
    pieces = ('{"a":{"critique":"long', 'yes"},"b":{"critique":"longer\\', '2"},"c":{"critique":"é\\u00')
    caller = Scripted(*map(cut, pieces), 'x"}}', grammar="regex", prefill=True)
    [completion] = ask(caller, slots)
    answer = plan_output(slots, critique_tokens=9).parse(completion.text)
    assert answer.labels == {"a": "yes", "b": "2", "c": "x"}
    assert answer.critiques == {"a": "long", "b": "longer", "c": "é"}
    assert completion.closed == ("a", "b", "c")
    assert completion.usage.requests == 4


def test_without_prefill_the_label_is_asked_for_in_a_further_turn():
    caller = Scripted(cut('{"critique":"It is 4, bec'), '{"label":"yes"}', grammar="json_schema")
    [completion] = ask(caller)
    assert completion.text == '{"critique":"It is 4, bec","label":"yes"}'
    assert (completion.closed, completion.cut) == (("correct",), False)
    behind = caller.calls[1]
    assert behind.messages[1] == {"role": "assistant", "content": '{"critique":"It is 4, bec'}
    assert behind.constraint.json_schema["properties"] == {"label": {"type": "string", "enum": ["no", "yes"]}}


@pytest.mark.parametrize(
    "text", ['{"critique":"It is 4', '{"critique":"It is 4","la', '{"critique":"It is 4","label":"ye']
)
def test_without_prefill_a_label_is_asked_for_wherever_it_was_cut(text):
    caller = Scripted(cut(text), '{"label":"no"}', grammar="json_schema")
    [completion] = ask(caller)
    assert completion.text == '{"critique":"It is 4","label":"no"}'
    assert completion.closed == (("correct",) if text.endswith("4") else ())


def test_without_prefill_what_was_cut_before_its_first_word_is_asked_for_in_whole():
    caller = Scripted(cut('  {"cri'), GOOD, grammar="json_schema")
    [completion] = ask(caller)
    assert (completion.text, completion.closed) == (GOOD, ())
    assert caller.calls[1].constraint.regex == caller.calls[0].constraint.regex


def test_without_prefill_the_questions_that_are_left_follow():
    slots = {"a": ("no", "yes"), "b": ("1", "2"), "c": ("x", "y")}
    rest = '{"b":{"critique":"B","label":"2"},"c":{"critique":"C","label":"x"}}'
    caller = Scripted(cut('{"a":{"critique":"long'), '{"label":"no"}', rest, grammar="json_schema")
    [completion] = ask(caller, slots)
    answer = plan_output(slots, critique_tokens=9).parse(completion.text)
    assert answer.labels == {"a": "no", "b": "2", "c": "x"}
    assert answer.critiques == {"a": "long", "b": "B", "c": "C"}
    assert completion.closed == ("a",)
    assert caller.calls[2].messages[1]["content"] == '{"a":{"critique":"long","label":"no"},"b":{"critique":"'


def test_only_when_the_rest_fails_too_is_it_cut():
    caller = Scripted(cut('{"critique":"It is 4'), "Well", "Hm", "Eh", grammar="json_schema")
    [completion] = ask(caller)
    assert completion.cut
    assert completion.usage.requests == 4
    [completion] = ask(Scripted(cut('{"critique":"It is 4'), "maybe", grammar="regex", prefill=True))
    assert completion.cut
    [error] = ask(Scripted(cut('{"critique":"It is 4'), RateLimitedError("slow"), grammar="regex", prefill=True))
    assert isinstance(error, RateLimitedError)


@pytest.mark.parametrize("prefill", [True, False])
def test_the_slots_of_a_completed_answer_are_read(prefill):
    first = '{"critique":"It is 4'
    answer = 'yes"}' if prefill else '{"label":"yes"}'
    tops = {"y": ((b"y", math.log(0.7)), (b"n", math.log(0.3)))}
    caller = Scripted(
        cut(first, tokens=spelled(first)), Reply(answer, tokens=spelled(answer, 1, **tops)),
        grammar="regex", prefill=prefill, top_logprobs=5,
    )  # fmt: skip
    [completion] = ask(caller)
    assert completion.slots["correct"].p == pytest.approx({"no": 0.3, "yes": 0.7})
    assert "".join(token.text for token in completion.tokens["correct"]).endswith("It is 4")


def test_tokens_of_what_is_cut_off_are_forgotten():
    first = '{"critique":"It is 4","label":"n'
    caller = Scripted(
        cut(first, tokens=spelled(first, 1, n=((b"n", -0.1), (b"y", -2.4)))),
        Reply('yes"}', tokens=spelled('yes"}', 1, y=((b"y", math.log(0.7)), (b"n", math.log(0.3))))),
        grammar="regex",
        prefill=True,
        top_logprobs=5,
    )
    [completion] = ask(caller)
    assert completion.text == '{"critique":"It is 4","label":"yes"}'
    assert completion.closed == ()
    assert completion.slots["correct"].p == pytest.approx({"no": 0.3, "yes": 0.7})


def test_prose_that_is_cut_is_asked_for_again_and_is_truncated_in_the_end():
    caller = Scripted(cut("Sure, let me"), cut("Well, as I"), cut("Hm, so the"), grammar="none")
    [completion] = ask(caller)
    assert (completion.text, completion.cut, len(caller.calls)) == ("Hm, so the", True, 3)


# Thinking.

THINK = Thinking("</think>", 50)


def test_a_caller_that_thinks_does_it_in_the_call():
    caller = Scripted(Reply(GOOD, thinking="hm"), grammar="regex", thinking=True)
    [completion] = ask(caller, thinking=THINK)
    [call] = caller.calls
    assert call.thinking == THINK
    assert call.max_tokens == plan_output(BINARY, critique_tokens=12).max_tokens
    assert (completion.thinking, completion.text, completion.closed) == ("hm", GOOD, ())


@pytest.mark.parametrize("prefill", [True, False])
def test_thinking_that_is_cut_is_closed_and_the_verdict_follows(prefill):
    behind = GOOD.removeprefix('{"critique":"') if prefill else GOOD
    caller = Scripted(cut("", thinking="on and on"), behind, grammar="regex", thinking=True, prefill=prefill)
    [completion] = ask(caller, thinking=THINK)
    assert (completion.text, completion.closed, completion.thinking) == (GOOD, ("thinking",), "on and on")
    if prefill:
        assert caller.calls[1].prefill == '<think>on and on</think>{"critique":"'
    else:
        assert caller.calls[1].messages[1]["content"] == "on and on"


def test_with_prefill_alone_thinking_is_a_call_before():
    caller = Scripted("one</think> more", cut("two"), GOOD, GOOD, grammar="regex", prefill=True)
    first, second = ask(caller, thinking=THINK, seeds=(1, 2))
    free, *behind = caller.calls
    assert (free.stop, free.max_tokens, free.constraint, free.seeds) == (("</think>",), 50, None, (1, 2))
    assert sorted((call.prefill, call.seeds) for call in behind) == [("one</think>", (1,)), ("two</think>", (2,))]
    assert (first.thinking, first.closed, first.text) == ("one", (), GOOD)
    assert (second.thinking, second.closed) == ("two", ("thinking",))
    assert first.usage == Usage(2, 20, 0, 10)


def test_without_a_grammar_what_comes_before_the_end_mark_is_thought():
    caller = Scripted(f"<think>hm {GOOD} no</think>\n{GOOD}", grammar="none")
    [completion] = ask(caller, thinking=THINK)
    assert completion.thinking == f"hm {GOOD} no"
    assert completion.text.strip() == GOOD
    assert caller.calls[0].max_tokens == plan_output(BINARY, critique_tokens=12, thinking=THINK).max_tokens


def test_a_caller_with_neither_is_asked_without_thinking():
    caller = Scripted(GOOD, grammar="json_schema")
    [completion] = ask(caller, thinking=THINK)
    assert (completion.thinking, caller.calls[0].thinking) == (None, None)


# Free plans.


def test_a_free_plan_is_one_call_without_a_constraint():
    text = "My verdict is [[A]]"
    caller = Scripted(Reply(text, tokens=spelled(text)), cut("My verd"), grammar="regex", top_logprobs=7)
    first, second = ask(caller, seeds=(1, 2), free=Free("arena@x", 90, logprobs=True))
    [call] = caller.calls
    assert (call.constraint, call.max_tokens, call.top_logprobs) == (None, 90, 7)
    assert first.text == text == "".join(token.text for token in first.tokens[FREE_TEXT])
    assert (first.cut, second.cut, second.tokens) == (False, True, {})


# Deadlines.


class Slow(Scripted):
    """Each call takes a while; its turn comes after a wait in a queue."""

    async def call(self, call):
        await asyncio.sleep(0.06)
        began = time.monotonic()
        await asyncio.sleep(0.06)
        return [dataclasses.replace(reply, began=began) for reply in await super().call(call)]


def test_further_calls_get_what_is_left_from_the_first_turn_on():
    caller = Slow("Sure!", "Sure!", GOOD, grammar="none")
    [completion] = ask(caller, timeout_s=100)
    assert completion.text == GOOD
    first, second, third = (call.timeout_s for call in caller.calls)
    assert first == 100
    assert second < 100 - 0.05
    assert third < second - 0.1
    caller = Slow("Sure!", "Sure!", GOOD, grammar="none")
    [error] = ask(caller, timeout_s=0.001)
    assert isinstance(error, DeadlineError)
    assert len(caller.calls) == 1
    assert error.usage == Usage(1, 10, 0, 5)


def test_a_caller_that_returns_another_number_of_texts_is_an_error():
    class Short(Scripted):
        async def call(self, call):
            return (await super().call(call))[:1]

    with pytest.raises(EngineError, match="2 texts were asked for, 1 came"):
        ask(Short(GOOD, GOOD, grammar="regex"), seeds=(1, 2))
