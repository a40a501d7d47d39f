"""What is found out about a server, and that nothing is believed which does not show."""

import asyncio

import orjson
import pytest
from faulty_server import FaultyServer, label_of

from genrm.compiler.output import plan_output
from genrm.compiler.request import JudgeRequest
from genrm.engines import open_engine
from genrm.engines.wire import replies
from genrm.errors import EngineError, RefusedError, SpecError


@pytest.fixture
def server():
    with FaultyServer() as running:
        yield running


def opened(url, **options):
    """An engine after its start, and closed again."""

    async def work():
        engine = open_engine(url, **options)
        await engine.start()
        await engine.aclose()
        return engine

    return asyncio.run(asyncio.wait_for(work(), 120))


def test_what_a_good_server_offers(server):
    engine = opened(server.url)
    offers = engine.offers
    assert (offers.grammar, offers.prefill, offers.top_logprobs, offers.masked) == ("regex", True, 20, True)
    assert (offers.n, offers.seeds, offers.exact, offers.thinking) == (True, True, False, False)
    assert engine.model == "fake-judge"
    assert engine.capabilities.context_tokens == 65536
    assert dict(engine.report())["constraint"] == "regex (structured_outputs)"
    assert engine.probe.requests <= 15


@pytest.mark.parametrize(
    ("ignored", "found"),
    [
        ({"regex"}, "json_schema"),
        ({"regex", "json_schema"}, "json_object"),
        ({"regex", "json_schema", "json_object"}, "none"),
    ],
)
def test_a_constraint_that_is_ignored_with_status_200_is_not_believed(server, ignored, found):
    server.ignores |= ignored
    assert opened(server.url).offers.grammar == found


@pytest.mark.parametrize(
    ("ignored", "offer", "value"),
    [("n", "n", False), ("seed", "seeds", False), ("prefill", "prefill", False), ("logprobs", "top_logprobs", 0)],
)
def test_an_ability_that_is_ignored_is_not_believed(server, ignored, offer, value):
    server.ignores.add(ignored)
    engine = opened(server.url)
    assert getattr(engine.offers, offer) == value
    assert engine.capabilities.probabilities == (ignored != "logprobs")


def test_votes_come_apart_where_n_is_ignored(server):
    server.ignores.add("n")
    output = plan_output({"good": ("no", "yes")}, critique_tokens=64)
    request = JudgeRequest(({"role": "user", "content": "row-4"},), output, (1, 2, 3), 1.0)

    async def work():
        engine = open_engine(server.url)
        await engine.start()
        votes = await engine.complete(request)
        await engine.aclose()
        return votes

    votes = asyncio.run(asyncio.wait_for(work(), 120))
    assert [orjson.loads(vote.text)["label"] for vote in votes] == [label_of(4, ["no", "yes"])] * 3
    assert len({vote.text for vote in votes}) == 3
    assert server.attempts[4] == 3


def test_what_is_found_out_holds_for_the_process_and_is_asked_once(server):
    opened(server.url)
    before = server.counts["answered"]
    opened(server.url, tries=2)
    assert server.counts["answered"] == before


def test_options_take_the_place_of_what_is_found(server):
    engine = opened(server.url, grammar="json_schema", top_logprobs=5, n=False, prefill=False, context_tokens=1000)
    assert (engine.offers.grammar, engine.offers.top_logprobs) == ("json_schema", 5)
    assert not engine.offers.n
    assert not engine.offers.prefill
    assert engine.capabilities.context_tokens == 1000
    assert engine._dialect.grammar == "json_schema"


def test_without_a_probe_one_request_is_made_and_no_text(server):
    engine = opened(server.url, probe=False)
    assert server.counts["answered"] == 0
    assert engine.offers.grammar == "json_schema"


def test_exact_slots_that_are_not_there_are_an_error(server):
    with pytest.raises(SpecError, match=r"exact_slots.*logprob_token_ids"):
        opened(server.url, exact_slots=True)


def entry(text, logprob=-0.5, data=None):
    return {"token": text, "logprob": logprob, "bytes": data, "top_logprobs": []}


def pieces(entries, text):
    found = replies.tokens_of(entries, text)
    return None if found is None else [token.data.decode() for token in found]


def test_tokens_are_brought_into_line_with_the_text():
    assert pieces([entry("He"), entry("llo"), entry("<|im_end|>")], "Hello") == ["He", "llo"]
    assert pieces([entry("é", data=list("é".encode()))], "é") == ["é"]
    # Half characters: the first token of a run has all the bytes.
    assert pieces([entry("a"), entry("�"), entry("�"), entry("b")], "a🙂b") == ["a", "🙂", "", "b"]
    assert pieces([entry("�"), entry("�")], "🙂") == ["🙂", ""]
    # A thinking part before the text, a stop text behind it.
    assert pieces([entry("hm"), entry("</think>"), entry("y"), entry("es")], "yes") == ["y", "es"]
    assert pieces([entry("yes"), entry('"}STOP')], 'yes"}') == ["yes", '"}']
    assert pieces([entry("other")], "text") is None
    assert pieces([entry("x")], "") == []


def test_tokens_that_a_grammar_forbids_are_left_out():
    one = entry("a") | {"top_logprobs": [entry("a", -0.1), entry("b", -9999.0)]}
    [token] = replies.tokens_of([one], "a")
    assert token.top == ((b"a", -0.1),)


@pytest.mark.parametrize(
    "data",
    [
        None, [], "text", {}, {"choices": []}, {"choices": [None]}, {"choices": [{}]},
        {"choices": [{"message": {"content": None}}]}, {"choices": [{"message": {"content": 5}}]},
        {"choices": [{"message": {"content": "a"}, "logprobs": {"content": [{"token": "a"}]}}]},
        {"choices": [{"message": {"content": "a"}, "logprobs": {"content": ["a"]}}]},
    ],
)  # fmt: skip
def test_what_is_no_chat_completion_is_said(data):
    with pytest.raises(replies.ShapeError, match="chat completion"):
        replies.read(data, 1)


def test_replies_of_several_texts_in_order_and_what_they_cost():
    choices = [{"index": i, "message": {"content": str(i)}, "finish_reason": "length"} for i in (2, 0, 1)]
    usage = {"prompt_tokens": 9, "completion_tokens": 8, "prompt_tokens_details": {"cached_tokens": 4}}
    found = replies.read({"choices": choices, "usage": usage}, 3)
    assert [(reply.text, reply.finish) for reply in found] == [("0", "length"), ("1", "length"), ("2", "length")]
    total = found[0].usage + found[1].usage + found[2].usage
    assert (total.requests, total.prompt_tokens, total.cached_tokens, total.completion_tokens) == (1, 9, 4, 8)


def test_texts_that_are_missing_are_errors_in_their_place():
    [first, second] = replies.read({"choices": [{"message": {"content": "a"}}]}, 2)
    assert first.text == "a"
    assert isinstance(second, EngineError)


def test_a_refusal_is_no_answer():
    [reply] = replies.read({"choices": [{"message": {"content": None, "refusal": "I cannot judge this."}}]}, 1)
    assert isinstance(reply, RefusedError)
    assert "I cannot judge this" in reply.message
