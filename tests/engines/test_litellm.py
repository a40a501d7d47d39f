"""API models through litellm's real client, against a fake provider that speaks their wire formats."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

pytest.importorskip("litellm", reason="the extra [api] is not installed")

from genrm.compiler.output import Thinking, plan_output
from genrm.compiler.request import JudgeRequest
from genrm.engines import open_engine
from genrm.engines.answers.key import AnswerKey
from genrm.engines.api.prices import Prices, most_prompt_tokens, prices_of
from genrm.engines.base import Completion
from genrm.errors import (
    ContextOverflowError,
    DeadlineError,
    EngineError,
    MissingExtraError,
    RateLimitedError,
    RefusedError,
    SpecError,
)
from genrm.judging.keep import Keep
from genrm.verdicts.read import read_verdicts
from tests.engines.api_wire import ApiWire, Fault, Said

KEY = "sk-very-secret-0123456789"
OPENAI, ANTHROPIC, GEMINI = "openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash"
OLD_ANTHROPIC = "anthropic/claude-3-haiku-20240307"
"""It has no structured output of its own; litellm makes a tool of the schema."""


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, KEY)


@pytest.fixture
def wire():
    with ApiWire() as server:
        yield server


@pytest.fixture
def judge(wire):
    """Asks a model one question; ``judge.engine`` is the engine of the last one."""

    def call(model, *, seeds=(7,), temperature=1.0, text="Is 2+2=4?", timeout_s=60.0, think=None, **options):
        base = wire.openai if model.startswith("openai/") else wire.url
        engine = call.engine = open_engine(f"litellm:{model}", api_base=base, **options)
        thinking = None if think is None else Thinking("</think>", think)
        plan = plan_output({"correct": ("no", "yes")}, critique_tokens=64, thinking=thinking)
        messages = ({"role": "system", "content": "You judge."}, {"role": "user", "content": text})
        call.request = JudgeRequest(messages, plan, tuple(seeds), temperature, "s", timeout_s)

        async def run():
            try:
                return await engine.complete(call.request)
            finally:
                await engine.aclose()

        return asyncio.run(run())

    return call


def test_servers_that_the_environment_names_have_answers_of_their_own(monkeypatch):
    def key():
        engine = open_engine(f"litellm:{OPENAI}")
        request = JudgeRequest((), plan_output({"correct": ("no", "yes")}, critique_tokens=4))
        return AnswerKey(engine, {}, Keep("answers.db").address(f"litellm:{OPENAI}", engine)).of(request)

    keys = [key()]
    for address in ("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1"):
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        keys.append(key())
    assert len(set(keys)) == 3
    assert key() == keys[-1]


def label(judge, completion) -> str | None:
    return read_verdicts(judge.request, completion)["correct"].label


SCHEMA_PLACES = {
    OPENAI: lambda body: body["response_format"]["json_schema"]["schema"],
    ANTHROPIC: lambda body: body["output_format"]["schema"],
    OLD_ANTHROPIC: lambda body: body["tools"][0]["input_schema"],
    GEMINI: lambda body: body["generationConfig"]["response_json_schema"],
}


@pytest.mark.parametrize("model", SCHEMA_PLACES)
def test_the_schema_goes_to_the_provider_in_its_own_way(wire, judge, model):
    (completion,) = judge(model)
    assert label(judge, completion) in ("no", "yes")
    (asked,) = wire.asked
    schema = SCHEMA_PLACES[model](asked.body)
    assert list(schema["properties"]) == ["critique", "label"]
    assert schema["properties"]["label"]["enum"] == ["no", "yes"]
    if model == OLD_ANTHROPIC:
        assert asked.body["tool_choice"] == {"type": "tool", "name": asked.body["tools"][0]["name"]}


def test_a_seed_is_sent_where_it_is_taken(wire, judge):
    judge(OPENAI, seeds=(2**62 + 5,))
    judge(GEMINI, seeds=(2**62 + 5,))
    judge(ANTHROPIC, seeds=(2**62 + 5,))
    assert wire.asked[0].body["seed"] == 5
    assert wire.asked[1].body["generationConfig"]["seed"] == 5
    assert "seed" not in wire.asked[2].body


@pytest.mark.parametrize(("model", "requests"), [(OPENAI, 1), (GEMINI, 1), (ANTHROPIC, 3)])
def test_votes_share_a_request_where_the_provider_has_n(wire, judge, model, requests):
    completions = judge(model, seeds=(1, 2, 3))
    assert len(completions) == 3
    assert len(wire.asked) == requests
    assert sum(c.usage.requests for c in completions) == requests
    assert sum(c.usage.completion_tokens for c in completions) == sum(bill.completion for bill in wire.billed)
    assert sum(c.usage.prompt_tokens for c in completions) == sum(bill.prompt for bill in wire.billed)


def test_gemini_is_asked_for_no_more_than_eight_texts_at_once(wire, judge):
    assert len(judge(GEMINI, seeds=tuple(range(10)))) == 10
    assert sorted(asked.body["generationConfig"].get("candidate_count", 1) for asked in wire.asked) == [2, 8]


def test_log_probabilities_become_a_distribution(judge):
    (completion,) = judge(OPENAI)
    said = label(judge, completion)
    p = completion.slots["correct"].p
    assert p[said] == pytest.approx(0.75)
    assert sum(p.values()) == pytest.approx(1.0)
    assert judge.engine.capabilities.probabilities


@pytest.mark.parametrize("model", [ANTHROPIC, GEMINI, "openai/gpt-5-mini"])
def test_without_log_probabilities_there_is_no_distribution(judge, model):
    (completion,) = judge(model)
    assert completion.slots == {}
    assert not judge.engine.capabilities.probabilities


def test_costs_are_those_of_the_table(wire, judge):
    import litellm

    wire.usage = lambda seed: (1000, 400, 50)
    for model, name in ((OPENAI, "gpt-4o-mini"), (ANTHROPIC, "claude-sonnet-4-5"), (GEMINI, "gemini/gemini-2.5-flash")):
        (completion,) = judge(model)
        entry = litellm.model_cost[name]
        expected = (
            600 * entry["input_cost_per_token"]
            + 400 * entry["cache_read_input_token_cost"]
            + 50 * entry["output_cost_per_token"]
        )
        assert completion.usage.cost_usd == pytest.approx(expected, rel=1e-9)
        assert completion.usage.prompt_tokens == 1000
        assert completion.usage.cached_tokens == 400


def test_a_model_without_a_price_has_no_cost(judge):
    (completion,) = judge("openai/my-own-model", grammar="json_schema")
    assert completion.usage.cost_usd is None
    assert judge.engine.prices is None


def test_a_price_can_be_given(wire, judge):
    (completion,) = judge(
        "openai/my-own-model", grammar="json_schema", input_cost_per_token=1e-6, output_cost_per_token=1e-5
    )
    (bill,) = wire.billed
    assert completion.usage.cost_usd == pytest.approx(bill.prompt * 1e-6 + bill.completion * 1e-5)


def test_prices_of_zero_are_unknown():
    assert prices_of({"input_cost_per_token": 0, "output_cost_per_token": 0}) is None
    assert prices_of({}) is None


def test_the_worst_case_takes_the_dearest_price():
    entry = {
        "input_cost_per_token": 1e-6,
        "cache_creation_input_token_cost": 1.25e-6,
        "input_cost_per_token_above_200k_tokens": 2e-6,
        "output_cost_per_token": 5e-6,
        "output_cost_per_reasoning_token": 6e-6,
        "input_cost_per_token_priority": 1.0,
    }
    prices = prices_of(entry)
    assert prices == Prices(1.25e-6, 6e-6, 0.0, 2e-6, 6e-6)
    assert prices_of(entry, "priority").input == 1.0
    assert prices.worst(1000, 100) == pytest.approx(1000 * 1.25e-6 + 100 * 6e-6)
    assert prices.worst(300_000, 100) == pytest.approx(300_000 * 2e-6 + 100 * 6e-6)


def test_the_bound_of_a_prompt_counts_bytes():
    text = "判" * 100
    assert most_prompt_tokens([{"role": "user", "content": text}], None) > 300


def test_a_broken_answer_is_shown_to_the_model(wire, judge):
    wire.script.append(Said('{"critique": "It is right.", "label": "maybe"}'))
    (completion,) = judge(OPENAI)
    assert label(judge, completion) in ("no", "yes")
    assert len(wire.asked) == 2
    again = json.dumps(wire.asked[1].body["messages"])
    assert "maybe" in again
    assert completion.usage.requests == 2
    assert completion.usage.prompt_tokens == sum(bill.prompt for bill in wire.billed)


def test_a_model_without_structured_output_is_asked_again_and_given_up(wire, judge):
    (completion,) = judge("openai/my-own-model", grammar="none", reask=1)
    assert len(wire.asked) == 2
    assert "response_format" not in wire.asked[0].body
    assert read_verdicts(judge.request, completion)["correct"].error.category == "unparseable"
    assert completion.usage.requests == 2


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (OPENAI, Said("I cannot help with that.", "refusal")),
        (OPENAI, Said("", "content_filter")),
        (ANTHROPIC, Said("", "refusal")),
        (GEMINI, Said("", "SAFETY")),
    ],
)
def test_a_refusal_is_one_and_its_cost_counts(wire, judge, model, said):
    wire.script.append(said)
    try:
        (outcome,) = judge(model)
    except RefusedError as error:
        outcome = error
    assert isinstance(outcome, RefusedError)
    assert not outcome.can_retry
    assert outcome.usage.requests == 1
    assert outcome.usage.cost_usd > 0
    assert len(wire.asked) == 1


def test_thinking(wire, judge):
    wire.script.append(Said('{"critique":"ok","label":"yes"}', thinking="Let me see."))
    (completion,) = judge("openai/gpt-5-mini", think=3000)
    assert completion.thinking == "Let me see."
    body = wire.asked[0].body
    assert body["reasoning_effort"] == "medium"
    assert body["max_completion_tokens"] > 3000


def test_thinking_of_anthropic(wire, judge):
    wire.script.append(Said('{"critique":"ok","label":"yes"}', thinking="Let me see."))
    (completion,) = judge(ANTHROPIC, think=5000)
    assert completion.thinking == "Let me see."
    assert label(judge, completion) == "yes"
    body = wire.asked[0].body
    assert body["thinking"]["budget_tokens"] < body["max_tokens"]


def test_models_that_would_think_are_kept_from_it(wire, judge):
    judge("openai/gpt-5-mini")
    judge(GEMINI)
    assert wire.asked[0].body["reasoning_effort"] == "minimal"
    assert wire.asked[1].body["generationConfig"]["thinkingConfig"]["thinkingBudget"] == 0


def test_the_shared_prefix_is_marked_for_anthropic(wire, judge):
    judge(ANTHROPIC)
    assert wire.asked[0].body["system"][0]["cache_control"] == {"type": "ephemeral"}


BUSY = {"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        (OPENAI, Fault(429, BUSY, {"Retry-After": "0"})),
        (OPENAI, Fault(503, {"error": {"message": "unavailable"}})),
        (OPENAI, Fault(500, {"error": {"message": "oops"}})),
        (OPENAI, Fault(kind="cut")),
        (ANTHROPIC, Fault(529, OVERLOADED)),
        (ANTHROPIC, Fault(429, OVERLOADED, {"retry-after": "0"})),
        (GEMINI, Fault(429, {"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}})),
    ],
)
def test_what_passes_is_tried_again(wire, judge, model, fault):
    wire.script.append(fault)
    (completion,) = judge(model)
    assert isinstance(completion, Completion)
    assert len(wire.asked) == 2


def test_tries_are_bounded(wire, judge):
    wire.script.extend(Fault(429, BUSY) for _ in range(9))
    with pytest.raises(RateLimitedError):
        judge(OPENAI, tries=2)
    assert len(wire.asked) == 2


def test_a_wish_to_wait_for_an_hour_is_not_granted(wire, judge):
    wire.script.append(Fault(429, BUSY, {"Retry-After": "3600"}))
    with pytest.raises(RateLimitedError):
        judge(OPENAI)
    assert len(wire.asked) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_names_the_variable_and_shows_no_key(wire, judge, caplog, status, capsys):
    said = f"Incorrect API key provided: {KEY[:8]}***{KEY[-4:]} ({KEY})"
    wire.script.append(Fault(status, {"error": {"message": said, "type": "invalid_request_error"}}))
    with caplog.at_level(logging.DEBUG), pytest.raises(EngineError) as caught:
        judge(OPENAI)
    assert not caught.value.can_retry
    assert "$OPENAI_API_KEY" in str(caught.value)
    assert KEY[:8] not in str(caught.value)
    assert KEY not in caplog.text
    assert KEY not in "".join(capsys.readouterr())
    assert len(wire.asked) == 1


OVERFLOWS = {
    OPENAI: {
        "error": {
            "message": "This model's maximum context length is 128000 tokens. However, your messages resulted in 1.",
            "code": "context_length_exceeded",
            "type": "invalid_request_error",
        }
    },
    ANTHROPIC: {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"},
    },
    GEMINI: {
        "error": {
            "code": 400,
            "message": "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).",
            "status": "INVALID_ARGUMENT",
        }
    },
}


@pytest.mark.parametrize("model", OVERFLOWS)
def test_context_overflow(wire, judge, model):
    wire.script.append(Fault(400, OVERFLOWS[model]))
    with pytest.raises(ContextOverflowError):
        judge(model)
    assert len(wire.asked) == 1


def test_a_filtered_prompt_is_refused(wire, judge):
    body = {
        "error": {
            "message": "The response was filtered due to the prompt triggering content management policy.",
            "code": "content_filter",
        }
    }
    wire.script.append(Fault(400, body))
    with pytest.raises(RefusedError):
        judge(OPENAI)


def test_a_bad_request_is_not_tried_again(wire, judge):
    wire.script.append(Fault(400, {"error": {"message": "unknown field", "type": "invalid_request_error"}}))
    with pytest.raises(EngineError) as caught:
        judge(OPENAI)
    assert not caught.value.can_retry
    assert len(wire.asked) == 1


def test_a_hang_meets_the_deadline(wire, judge):
    wire.script.append(Fault(kind="hang"))
    with pytest.raises(DeadlineError):
        judge(OPENAI, timeout_s=1.0)


def test_a_hang_is_given_up_and_tried_again(wire, judge):
    wire.script.append(Fault(kind="hang"))
    (completion,) = judge(OPENAI, timeout=1.0, timeout_s=60.0)
    assert isinstance(completion, Completion)
    assert len(wire.asked) == 2


def test_nobody_listens():
    engine = open_engine(f"litellm:{OPENAI}", api_base="http://127.0.0.1:9/v1", tries=2)
    plan = plan_output({"correct": ("no", "yes")}, critique_tokens=8)
    with pytest.raises(EngineError) as caught:
        asyncio.run(engine.complete(JudgeRequest(({"role": "user", "content": "?"},), plan, timeout_s=30.0)))
    assert caught.value.can_retry


@pytest.mark.parametrize(
    ("model", "options", "field"),
    [
        ("no-such-provider/x", {}, "model"),
        (OPENAI, {"grammar": "regex"}, "grammar"),
        (OPENAI, {"max_concurrency": 0}, "max_concurrency"),
        (OPENAI, {"extra": "x"}, "extra"),
        (OPENAI, {"extra": {"max_tokens": 5}}, "extra"),
        (OPENAI, {"extra": {"api_key": "sk-x"}}, "extra"),
        (OPENAI, {"api_key_env": "NOT_SET_ANYWHERE"}, "NOT_SET_ANYWHERE"),
        (OPENAI, {"input_cost_per_token": 1e-6}, "output_cost_per_token"),
        (OPENAI, {"input_cost_per_token": 3.0, "output_cost_per_token": 3.0}, "input_cost_per_token"),
    ],
)
def test_wrong_options_are_named(model, options, field):
    with pytest.raises(SpecError) as caught:
        open_engine(f"litellm:{model}", **options)
    assert caught.value.faults[0].field == field


def test_a_missing_key_is_found_before_any_call(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(SpecError, match="OPENAI_API_KEY"):
        open_engine(f"litellm:{OPENAI}")


def test_the_key_of_another_variable_is_sent(wire, judge, monkeypatch):
    monkeypatch.setenv("TEAM_KEY", "sk-team")
    judge(OPENAI, api_key_env="TEAM_KEY")
    assert wire.asked[0].headers["Authorization"] == "Bearer sk-team"


def test_extra_arguments_are_passed_on(wire, judge):
    judge(OPENAI, extra={"user": "genrm"})
    assert wire.asked[0].body["user"] == "genrm"


def test_closing_one_engine_leaves_the_others_working(wire):
    plan = plan_output({"correct": ("no", "yes")}, critique_tokens=8)
    request = JudgeRequest(({"role": "user", "content": "?"},), plan, timeout_s=60.0)

    async def run():
        first, second = (open_engine(f"litellm:{OPENAI}", api_base=wire.openai) for _ in range(2))
        await first.complete(request)
        await first.aclose()
        await second.complete(request)
        await second.aclose()
        third = open_engine(f"litellm:{OPENAI}", api_base=wire.openai)
        await third.complete(request)
        await third.aclose()

    asyncio.run(run())
    assert len(wire.asked) == 3


def test_concurrency_is_bounded(wire):
    wire.delay_s = 0.05
    engine = open_engine(f"litellm:{OPENAI}", api_base=wire.openai, max_concurrency=3)
    plan = plan_output({"correct": ("no", "yes")}, critique_tokens=8)
    requests = [JudgeRequest(({"role": "user", "content": f"{n}?"},), plan, timeout_s=60.0) for n in range(12)]

    async def run():
        await asyncio.gather(*(engine.complete(request) for request in requests))
        await engine.aclose()

    asyncio.run(run())
    assert len(wire.asked) == 12
    assert wire.most_at_once <= 3


def test_a_missing_package_names_the_extra(monkeypatch):
    import sys

    from genrm.engines.api.model import load_litellm

    load_litellm.cache_clear()
    monkeypatch.setitem(sys.modules, "litellm", None)
    try:
        with pytest.raises(MissingExtraError, match=r"genrm\[api\]"):
            open_engine(f"litellm:{OPENAI}")
    finally:
        load_litellm.cache_clear()
