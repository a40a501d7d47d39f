"""The engine against a real `vllm serve`."""

import asyncio
import math
import urllib.request
from dataclasses import replace

import pytest

from genrm.compiler.output import Thinking, plan_output
from genrm.compiler.request import JudgeRequest
from genrm.engines import open_engine
from genrm.engines.calls.call import Call, Constraint
from genrm.errors import ContextOverflowError, EngineError, JudgeError, SpecError

pytestmark = pytest.mark.full

LIKERT = tuple(str(value) for value in range(1, 11))


def request(text="Is 2+2=4?", slots=None, *, seeds=(0,), temperature=1.0, critique_tokens=24, **plan):
    output = plan_output(slots or {"good": ("no", "yes")}, critique_tokens=critique_tokens, **plan)
    return JudgeRequest(({"role": "user", "content": text},), output, seeds, temperature, "", 300.0)


def using(url, work, **options):
    """Runs ``work(engine)`` on an engine of its own."""

    async def run():
        engine = open_engine(url, **options)
        await engine.start()
        try:
            return await work(engine)
        finally:
            await engine.aclose()

    return asyncio.run(asyncio.wait_for(run(), 500))


def complete(url, *requests, **options):
    """Completions, or the error, of each request."""
    return using(
        url,
        lambda engine: asyncio.gather(*(engine.complete(item) for item in requests), return_exceptions=True),
        **options,
    )


@pytest.fixture(scope="module")
def qwen(serve_vllm, vllm_model):
    """A server whose numbers do not depend on the batch, with a prefix cache."""
    return serve_vllm(vllm_model).url


@pytest.fixture(params=["tiny", "qwen"])
def url(request):
    return request.getfixturevalue("vllm_server").url if request.param == "tiny" else request.getfixturevalue("qwen")


def test_what_the_probe_finds(url):
    async def work(engine):
        return engine.probe, engine.offers, engine.capabilities, engine.model, dict(engine.report())

    probe, offers, capabilities, model, report = using(url, work)
    assert model == "judge"
    assert offers.grammar == "regex"
    assert probe.dialect.regex_field == "structured_outputs"
    assert (offers.top_logprobs, offers.masked) == (20, True)
    assert offers.prefill
    assert offers.exact
    assert offers.n
    assert probe.cached_tokens
    assert capabilities.context_tokens == 2048
    assert capabilities.probabilities
    assert probe.requests <= 15
    assert report["constraint"] == "regex (structured_outputs)"


def test_seeds_repeat_and_votes_are_the_same_together_and_apart(qwen):
    async def work(engine):
        assert engine.offers.seeds
        assert engine.probe.n_seeds
        call = Call(
            ({"role": "user", "content": "Hi"},), max_tokens=12, temperature=1.0, seeds=(5, 6, 7), top_logprobs=2
        )
        before = engine._line.attempts
        together = await engine.call(call)
        assert engine._line.attempts == before + 1
        apart = [(await engine.call(replace(call, seeds=(seed,))))[0] for seed in (5, 6, 7)]
        return together, apart

    together, apart = using(qwen, work)
    assert [reply.text for reply in together] == [reply.text for reply in apart]
    assert len({reply.text for reply in together}) == 3
    assert [reply.usage.requests for reply in together] == [1, 0, 0]
    assert sum(reply.usage.prompt_tokens for reply in together) == apart[0].usage.prompt_tokens
    assert sum(reply.usage.completion_tokens for reply in together) == 36


SLOTS = {"good": ("no", "yes"), "size": LIKERT, "kind": ("tie", "tied", "naïve 🙂")}
COMPACT = ("--structured-outputs-config", '{"backend":"xgrammar","disable_any_whitespace":true}')
"""Without it a random model writes blanks until it is cut, which a schema allows."""


@pytest.mark.parametrize("grammar", ["regex", "json_schema"])
def test_every_answer_keeps_to_the_plan_and_has_its_distributions(serve_vllm, vllm_model, grammar):
    url = serve_vllm(vllm_model, *COMPACT).url
    slots = SLOTS if grammar == "regex" else {"good": ("no", "yes")}
    requests = [request(f"Question {index}", slots, seeds=(index,), critique_tokens=12) for index in range(6)]
    for item, found in zip(requests, complete(url, *requests, grammar=grammar), strict=True):
        [completion] = found
        assert not isinstance(completion, JudgeError), completion
        answer = item.output.parse(completion.text)
        for slot, labels in slots.items():
            reading = completion.slots[slot]
            assert tuple(reading.p) == labels
            assert sum(reading.p.values()) == pytest.approx(1.0)
            assert reading.p[answer.labels[slot]] > 0


def test_exact_slots_agree_with_what_the_grammar_leaves(url):
    """Behind the same prefill; the grammar also lets labels be spelled in other tokens, which begin alike."""

    async def work(engine):
        call = Call(({"role": "user", "content": "Hi"},), max_tokens=1, prefill='{"label":"', top_logprobs=20)
        [reply] = await engine.call(replace(call, constraint=Constraint(r'(no|yes)"\}'), seeds=(0,)))
        return reply, await engine.read_slot(call, ("no", "yes"))

    reply, reading = using(url, work)
    shown = {data: math.exp(logprob) for data, logprob in reply.tokens[0].top}
    assert sum(shown.values()) == pytest.approx(1.0, abs=1e-3)
    assert 0 <= reading.outside <= 1
    whole = {"no": shown.get(b"no", 0.0), "yes": shown.get(b"yes", 0.0)}
    if all(whole.values()):
        total = sum(whole.values())
        assert reading.p == pytest.approx({label: p / total for label, p in whole.items()}, abs=1e-3)


def test_exact_slots_are_the_models_own_probabilities(qwen):
    """Against plain log-probabilities without a constraint, where a label is one token."""

    async def work(engine):
        lead = '{"label":"'
        call = Call(({"role": "user", "content": "Hi"},), max_tokens=1, prefill=lead, top_logprobs=20)
        [reply] = await engine.call(call)
        shown = {data.decode(errors="replace"): logprob for data, logprob in reply.tokens[0].top}
        labels = tuple(text for text in shown if text.isalnum() and text.isascii())[:3]
        reading = await engine.read_slot(call, labels)
        return shown, reading, [len(await engine._exact.spell(label, 60)) for label in labels]

    shown, reading, lengths = using(qwen, work)
    assert len(reading.p) >= 2
    if set(lengths) == {1}:
        total = sum(math.exp(shown[label]) for label in reading.p)
        firsts_differ = len({label[0] for label in reading.p}) == len(reading.p)
        if firsts_differ:
            assert reading.outside == pytest.approx(1 - total, abs=1e-3)
            assert reading.p == pytest.approx({label: math.exp(shown[label]) / total for label in reading.p}, abs=1e-3)


def test_a_critique_that_is_cut_is_closed_behind_a_prefill(url):
    item = request(critique_tokens=3, seeds=(1, 2))
    [votes] = complete(url, item)
    for vote in votes:
        assert not isinstance(vote, JudgeError), vote
        item.output.parse(vote.text)
        assert "good" in vote.slots


def test_a_prefill_is_gone_on_with(qwen):
    async def work(engine):
        call = Call(
            ({"role": "user", "content": "Hi"},),
            max_tokens=8,
            prefill='{"label":"',
            constraint=Constraint(r'(no|yes)"\}'),
        )
        return await engine.call(call)

    [reply] = using(qwen, work)
    assert reply.text in ('no"}', 'yes"}')
    assert b"".join(token.data for token in reply.tokens or ()) == b""
    assert reply.finish == "stop"


def test_a_prompt_that_is_too_long_is_said_and_not_tried_again(url):
    async def work(engine):
        before = engine._line.attempts
        with pytest.raises(ContextOverflowError, match="HTTP 400"):
            await engine.complete(request("word " * 4000))
        return engine._line.attempts - before

    assert using(url, work) == 1


def test_models_that_are_not_there(vllm_server):
    with pytest.raises(SpecError, match="one of: judge"):
        using(f"{vllm_server.url}#another", None)

    async def work(engine):
        engine._dialect = replace(engine._dialect, model="another")
        with pytest.raises(EngineError, match="a model that GET /models lists") as caught:
            await engine.complete(request())
        return caught.value

    assert not using(vllm_server.url, work).can_retry
    with pytest.raises(SpecError, match=r"(ends? in|end it in) /v1"):
        using(vllm_server.url.removesuffix("/v1"), None)


def running(url):
    with urllib.request.urlopen(url.removesuffix("/v1") + "/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("vllm:num_requests_running"))


def test_a_cancelled_call_ends_on_the_server(qwen):
    async def work(engine):
        call = Call(({"role": "user", "content": "Hi"},), max_tokens=1500, constraint=Constraint("(a|b){4000}"))
        task = asyncio.create_task(engine.call(call))
        for _ in range(3000):
            if await asyncio.to_thread(running, qwen):
                break
            await asyncio.sleep(0.01)
        else:
            raise AssertionError("it never ran")
        task.cancel()
        await asyncio.wait([task])
        for _ in range(3000):
            if not await asyncio.to_thread(running, qwen):
                break
            await asyncio.sleep(0.01)
        assert await asyncio.to_thread(running, qwen) == 0

    using(qwen, work)


def test_cached_tokens_are_counted(qwen):
    text = "The same long beginning of a prompt. " * 12

    async def work(engine):
        await engine.complete(request(text))
        [completion] = await engine.complete(request(text + " And another end."))
        return completion

    usage = using(qwen, work).usage
    assert 0 < usage.cached_tokens <= usage.prompt_tokens


def test_thinking_comes_apart_from_the_answer(serve_vllm, vllm_model):
    url = serve_vllm(vllm_model, "--reasoning-parser", "qwen3").url

    async def work(engine):
        call = Call(({"role": "user", "content": "Hi"},), max_tokens=4, thinking=Thinking("</think>", 12))
        [thought] = await engine.call(call)
        [answer] = await engine.call(replace(call, thinking=None, constraint=Constraint("(no|yes)")))
        return engine.offers, thought, answer

    offers, thought, answer = using(url, work)
    assert offers.thinking
    assert offers.grammar == "regex"
    assert thought.thinking
    assert thought.usage.completion_tokens <= 16
    assert answer.text in ("no", "yes")


def test_a_judge_that_ends_its_thinking_answers_under_the_grammar(serve_vllm, vllm_thinker):
    url = serve_vllm(vllm_thinker, "--reasoning-parser", "qwen3").url
    plan = plan_output({"ok": ("no", "yes")}, critique_tokens=16, thinking=Thinking("</think>", 40))
    asked = JudgeRequest(({"role": "user", "content": "Is 2+2=4?"},), plan, tuple(range(6)), 1.0)

    async def work(engine):
        return engine.offers.thinking, await engine.complete(asked)

    thinks, completions = using(url, work)
    assert thinks
    assert any(completion.thinking for completion in completions)
    for completion in completions:
        assert plan.parse(completion.text).labels["ok"] in ("no", "yes")
        assert sum(completion.slots["ok"].p.values()) == pytest.approx(1)
