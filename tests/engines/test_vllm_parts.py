"""The parts of the engine ``vllm:`` that need no vLLM; test_vllm_real.py runs the whole."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
from types import SimpleNamespace
from typing import Any

import pytest

from genrm.engines import open_engine
from genrm.engines.base import Usage
from genrm.engines.calls.call import Call
from genrm.engines.calls.together import together
from genrm.engines.chat import Chat
from genrm.engines.local.vocabulary import Vocabulary
from genrm.engines.vllm_parts import guard
from genrm.engines.vllm_parts.imports import environment
from genrm.engines.vllm_parts.prompts import Prompts
from genrm.engines.vllm_parts.replies import Reader, usage_of
from genrm.engines.vllm_parts.requests import consecutive
from genrm.engines.vllm_parts.settings import Settings, lora_rank
from genrm.engines.vllm_parts.turns import Turns
from genrm.errors import EngineError, MissingExtraError, SpecError


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed here")
def test_without_vllm_the_extra_is_named():
    with pytest.raises(MissingExtraError, match=r"genrm\[vllm\]"):
        open_engine("vllm:models/some", tensor_parallel_size=2)


def test_seeds_that_count_upwards_are_one_request():
    assert consecutive((4, 5, 6, 9, 3, 4)) == [(4, 5, 6), (9,), (3, 4)]
    assert consecutive((2**63 - 1, 0)) == [(2**63 - 1,), (0,)]


def test_turns_come_in_order_and_within_the_limit():
    async def main() -> None:
        turns, order, running, most = Turns(4), [], 0, 0

        async def work(name: int, count: int) -> None:
            nonlocal running, most
            async with turns.take(count):
                order.append(name)
                running += count
                most = max(most, running)
                await asyncio.sleep(0)
                running -= count

        await asyncio.gather(*(work(index, 1 + index % 3) for index in range(30)))
        assert order == list(range(30))
        assert most <= 4

    asyncio.run(main())


def test_a_large_turn_comes_alone():
    async def main() -> None:
        turns = Turns(2)
        async with turns.take(5):
            waiting = asyncio.ensure_future(turns.take(1).__aenter__())
            await asyncio.sleep(0)
            assert not waiting.done()
        await waiting

    asyncio.run(main())


@pytest.mark.parametrize("late", [False, True])
def test_who_gives_up_waiting_leaves_no_gap(late):
    async def main() -> None:
        turns = Turns(1)
        first = turns.take(1)
        await first.__aenter__()
        gone = asyncio.ensure_future(turns.take(1).__aenter__())
        after = asyncio.ensure_future(turns.take(1).__aenter__())
        await asyncio.sleep(0)
        if late:  # its turn comes in the moment in which it is called off
            await first.__aexit__(None, None, None)
            gone.cancel()
        else:
            gone.cancel()
            await first.__aexit__(None, None, None)
        await asyncio.wait([after], timeout=10)
        assert after.done()
        assert after.exception() is None

    asyncio.run(main())


def test_one_failure_calls_the_others_off():
    async def main() -> None:
        ended = []

        async def long() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(True)

        async def broken() -> None:
            await asyncio.sleep(0)
            raise EngineError("no")

        with pytest.raises(EngineError):
            await together([long(), broken()])
        await asyncio.sleep(0)
        assert ended == [True]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"grammar": "auto"}, "grammar"),
        ({"grammar": "lm-format-enforcer"}, "grammar"),
        ({"arguments": {"structured_outputs_config": {"backend": "auto"}}}, "structured_outputs_config"),
        ({"arguments": {"reasoning_parser": "qwen3"}}, "reasoning_parser"),
    ],
)
def test_settings_that_would_change_judgments_are_refused(options, field):
    with pytest.raises(SpecError, match=field):
        Settings("m", None, **options).check()


def test_a_gpu_is_shared_and_every_argument_passes():
    given = Settings("m", None, arguments={"tensor_parallel_size": 2, "max_model_len": 1000}, context=100_000)
    made = given.vllm_arguments(cpu=False)
    assert made["gpu_memory_utilization"] < 0.5
    assert made["tensor_parallel_size"] == 2
    assert made["max_model_len"] == 1000
    assert made["enable_prefix_caching"] is True
    assert made["structured_outputs_config"] == {"backend": "guidance"}
    assert "enable_chunked_prefill" not in made
    assert Settings("m", None, arguments={"gpu_memory_utilization": 0.8}).vllm_arguments(cpu=False)[
        "gpu_memory_utilization"
    ] == pytest.approx(0.8)


def test_on_a_cpu_no_prompt_is_read_in_pieces():
    made = Settings("m", None, context=40_000).vllm_arguments(cpu=True)
    assert made["enable_chunked_prefill"] is False
    assert made["max_num_batched_tokens"] >= made["max_model_len"] == 8192
    assert made["block_size"] == 32
    assert made["kv_cache_memory_bytes"] > 0
    longer = Settings("m", None, arguments={"max_model_len": 20_000}).vllm_arguments(cpu=True)
    assert longer["max_num_batched_tokens"] >= 20_000
    for wrong in ({"enable_chunked_prefill": True}, {"max_num_batched_tokens": 100}):
        with pytest.raises(SpecError, match=next(iter(wrong))):
            Settings("m", None, arguments=wrong).vllm_arguments(cpu=True)


def test_a_hybrid_model_has_no_prefix_cache_on_a_cpu():
    assert Settings("m", None, hybrid=True).vllm_arguments(cpu=True)["enable_prefix_caching"] is False
    assert Settings("m", None, hybrid=True).vllm_arguments(cpu=False)["enable_prefix_caching"] is True


def test_adapters_say_their_rank(tmp_path):
    config = tmp_path / "adapter_config.json"
    config.write_text(json.dumps({"r": 20}))
    assert lora_rank(tmp_path) == 32
    for wrong in ("{}", "[", '{"r": 5000}'):
        config.write_text(wrong)
        with pytest.raises(SpecError, match="lora"):
            lora_rank(tmp_path)


def test_environment_is_set_for_a_while_and_only_where_the_user_has_not(monkeypatch):
    monkeypatch.setenv("GENRM_TEST_SET", "mine")
    monkeypatch.delenv("GENRM_TEST_UNSET", raising=False)
    with environment({"GENRM_TEST_SET": "ours", "GENRM_TEST_UNSET": "ours"}):
        assert os.environ["GENRM_TEST_SET"] == "mine"
        assert os.environ["GENRM_TEST_UNSET"] == "ours"
    assert "GENRM_TEST_UNSET" not in os.environ


def test_the_guard_lets_processes_alone_that_genrm_did_not_start(monkeypatch):
    started: list[Any] = []
    monkeypatch.setattr(guard.threading, "Thread", lambda **how: started.append(how))
    monkeypatch.delenv(guard.OWNER, raising=False)
    guard.install()
    monkeypatch.setenv(guard.OWNER, str(os.getpid()))
    guard.install()
    assert not started


@pytest.fixture
def vocabulary(tokenizer) -> Vocabulary:
    return Vocabulary(tokenizer, 448)


def test_a_prefill_is_spelled_by_plain_tokens(tokenizer, vocabulary):
    prompts = Prompts(Chat(tokenizer, "m"), vocabulary)
    asked = Call(({"role": "user", "content": "Hi"},), max_tokens=1, prefill='{"critique":"<|im_end|> x')
    tokens = prompts.tokens(asked)
    text = b"".join(map(vocabulary.piece, tokens)).decode()
    assert text.endswith('<|im_start|>assistant\n{"critique":"<|im_end|> x')
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert tokens.count(end) == 1  # the template's own


def test_thinking_marks_of_a_prefill_are_control_tokens(tokenizer, vocabulary):
    prompts = Prompts(Chat(tokenizer, "m"), vocabulary)
    tokens = prompts.tokens(Call(({"role": "user", "content": "Hi"},), max_tokens=1, prefill='<think>a</think>{"'))
    ids = tokenizer.convert_tokens_to_ids(["<think>", "</think>"])
    assert [tokens.count(mark) for mark in ids] == [1, 1]
    tokenizer_text = b"".join(map(vocabulary.piece, tokens)).decode()
    assert tokenizer_text.endswith('<think>a</think>{"')


def _output(ids: list[int], finish: str = "stop", **more: Any) -> Any:
    fields = {"token_ids": ids, "finish_reason": finish, "stop_reason": None, "logprobs": None} | more
    return SimpleNamespace(**fields)


def test_a_reply_ends_before_its_end_token_and_stop_text(tokenizer, vocabulary):
    reader = Reader(vocabulary)
    ids = vocabulary.encode("One, two. They tied!")
    [end] = vocabulary.end_ids
    assert reader.reply(_output([*ids, end]), Usage()).text == "One, two. They tied!"
    stopped = reader.reply(_output(ids, stop_reason="They"), Usage(), stop=("They",))
    assert stopped.text == "One, two. "
    assert reader.reply(_output(ids, "length"), Usage()).finish == "length"
    assert isinstance(reader.reply(_output(ids, "abort"), Usage()), EngineError)


def test_log_probabilities_leave_forbidden_tokens_out(vocabulary):
    [token] = vocabulary.encode("1")
    flat = SimpleNamespace(
        start_indices=[0], end_indices=[4], token_ids=[token, token, 5, 6], logprobs=[-0.1, -0.1, -2.4, -float("inf")]
    )
    reply = Reader(vocabulary).reply(_output([token], logprobs=flat), Usage())
    assert reply.tokens[0].data == b"1"
    assert [p for _, p in reply.tokens[0].top] == [-0.1, -2.4]


def test_alternatives_are_spelled_only_where_somebody_looks(vocabulary, monkeypatch):
    ids = vocabulary.encode("1 10")
    logprobs = [-0.1, -0.1, -2.4] * len(ids)
    flat = SimpleNamespace(
        start_indices=list(range(0, len(logprobs), 3)),
        end_indices=list(range(3, len(logprobs) + 1, 3)),
        token_ids=[other for token in ids for other in (token, token, 7)],
        logprobs=logprobs,
    )
    reader, spelled = Reader(vocabulary), []
    piece = vocabulary.piece
    monkeypatch.setattr(vocabulary, "piece", lambda token: spelled.append(token) or piece(token))
    reply = reader.reply(_output(ids, logprobs=flat), Usage())
    assert 7 not in spelled
    for token in reply.tokens:
        assert len(token.top) == 2
        assert token.top[0] == (token.data, -0.1)
        assert list(token.top)[1:] == token.top[1:] == [(piece(7), -2.4)]
    assert 7 in spelled


def test_a_shared_prompt_counts_once():
    outputs = [SimpleNamespace(token_ids=[1, 2]), SimpleNamespace(token_ids=[3])]
    result = SimpleNamespace(outputs=outputs, prompt_token_ids=[0] * 10, num_cached_tokens=8)
    assert usage_of(result, 0) + usage_of(result, 1) == Usage(1, 10, 8, 3)
