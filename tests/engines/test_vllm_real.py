"""The engine ``vllm:`` on the real vLLM, in this process: run by .venv-vllm, see `make test-full`.

Two models: a random one with plain attention, which writes every text that a grammar allows, and the embedded judge.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("vllm", reason="vLLM is installed in .venv-vllm only (make .venv-vllm/installed)")

from genrm.compiler.output import Thinking, plan_output
from genrm.compiler.request import JudgeRequest
from genrm.engines import open_engine
from genrm.engines.calls.call import Call, Constraint, Reply
from genrm.errors import ContextOverflowError, DeadlineError, EngineError, RunStoppedError, SpecError
from genrm.judging import runtime
from genrm.judging.judge import Judge
from genrm.judging.reward_function import RewardFunction
from genrm.resources import tiny_dir

pytestmark = [pytest.mark.full, pytest.mark.vllm]

SMALL = {"kv_cache_memory_bytes": 64 << 20, "max_num_seqs": 32, "max_model_len": 2048}
ASK = ({"role": "system", "content": "You judge. " * 30}, {"role": "user", "content": "Is 2+2=4?"})
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """With models this small, more threads only wait for each other."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    yield
    os.environ.pop("OMP_NUM_THREADS")
    if before is not None:
        os.environ["OMP_NUM_THREADS"] = before
    runtime.shutdown()


@pytest.fixture(scope="module")
def engine(vllm_model) -> Any:
    return runtime.current().engine(f"vllm:{vllm_model}", SMALL)


def run(coroutine: Any) -> Any:
    return runtime.current().call(coroutine)


def complete(engine: Any, slots: Any = None, **how: Any) -> list[Any]:
    settings = {"critique_tokens": 24} | {
        k: how.pop(k) for k in ("critique_tokens", "critique", "thinking") if k in how
    }
    request = JudgeRequest(ASK, plan_output(slots or {"ok": ("no", "yes")}, **settings), **how)
    return run(engine.complete(request))


def call(**how: Any) -> Call:
    return Call(**({"messages": ASK, "max_tokens": 24, "temperature": 1.0} | how))


def test_every_output_follows_the_plan(engine):
    seeds = tuple(range(24))
    slots = {"a": ("1", "2", "10"), "b": ("tie", "tied", 'say "ö"')}
    plan = plan_output(slots, critique_tokens=24)
    for completion in complete(engine, slots, seeds=seeds, temperature=1.0):
        answer = plan.parse(completion.text)
        for slot, reading in completion.slots.items():
            assert sum(reading.p.values()) == pytest.approx(1)
            assert reading.p[answer.labels[slot]] > 0
        assert set(completion.slots) == set(slots)


def test_consecutive_seeds_are_one_request_and_repeat(engine):
    base = 2**63 - 3
    together = run(engine.call(call(seeds=(base, base + 1, base + 2))))
    alone = [run(engine.call(call(seeds=(base + i,))))[0] for i in range(3)]
    assert [r.text for r in together] == [r.text for r in alone]
    assert len({r.text for r in together}) == 3
    assert [r.usage.requests for r in together] == [1, 0, 0]
    assert [r.usage.prompt_tokens > 0 for r in together] == [True, False, False]


def test_greedy_votes_are_asked_for_once(engine):
    replies = run(engine.call(call(seeds=(5, 9, 2), temperature=0.0)))
    assert len({r.text for r in replies}) == 1
    assert [r.usage.completion_tokens > 0 for r in replies] == [True, False, False]


def test_a_shared_prefix_is_read_once(engine):
    run(engine.call(call()))
    [reply] = run(engine.call(call(seeds=(1,))))
    # Whole blocks of 32 tokens, and never the last token.
    assert reply.usage.cached_tokens >= (reply.usage.prompt_tokens - 1) // 32 * 32 > 0


def test_tokens_make_up_the_text_and_show_no_forbidden_ones(engine):
    regex = r'\{"label":"(no|yes)"\}'
    [reply] = run(engine.call(call(constraint=Constraint(regex), top_logprobs=20)))
    assert b"".join(token.data for token in reply.tokens).decode() == reply.text
    assert reply.text in ('{"label":"no"}', '{"label":"yes"}')
    for token in reply.tokens:
        assert all(math.isfinite(p) for _, p in token.top)
        assert sum(math.exp(p) for _, p in token.top) == pytest.approx(1, abs=1e-3)


def test_slots_are_read_exactly(engine, vllm_model):
    """Against the model's own probabilities, from transformers in float32."""
    import torch
    from transformers import AutoModelForCausalLM

    labels, prefill = ("1", "10", "tie", "tied"), '{"label":"'
    asked = call(prefill=prefill)
    reading = run(engine.read_slot(asked, labels))
    model = AutoModelForCausalLM.from_pretrained(vllm_model, dtype=torch.float32)
    prompt, tree = engine._prompts.tokens(asked), engine._tree(labels)
    masses = []
    for branch in tree.branches:
        with torch.no_grad():
            logits = model(torch.tensor([[*prompt, *branch.prefix]])).logits[0, -1]
        log_p = torch.log_softmax(logits.double(), -1)
        masses.append([float(torch.logsumexp(log_p[list(edge)], 0)) for edge in branch.edges])
    p, outside = tree.distribution(masses)
    assert reading.outside == pytest.approx(outside, abs=1e-3)
    for label in labels:
        assert reading.p[label] == pytest.approx(p[label], abs=1e-3)
    assert reading.outside > 0.5  # a random model would say anything else


def test_exact_slots_are_those_of_the_transformers_engine(vllm_model, open_hf):
    vllm = runtime.current().engine(f"vllm:{vllm_model}", SMALL | {"exact_slots": True})
    hf = open_engine(f"hf:{vllm_model}", dtype="float32", device="cpu", threads=1)
    request = JudgeRequest(ASK, plan_output({"ok": ("no", "yes")}, critique_tokens=8, critique=False))
    try:
        [ours], [theirs] = run(vllm.complete(request)), asyncio.run(hf.complete(request))
    finally:
        asyncio.run(hf.aclose())
    assert ours.slots["ok"].p["yes"] == pytest.approx(theirs.slots["ok"].p["yes"], abs=1e-3)
    assert ours.slots["ok"].outside == pytest.approx(theirs.slots["ok"].outside, abs=1e-3)
    run(vllm.aclose())


def test_two_engines_live_side_by_side_and_one_may_end_first(engine, vllm_model):
    other = open_engine(f"vllm:{vllm_model}", grammar="xgrammar", **SMALL)
    run(other.start())
    assert run(other.call(call(constraint=Constraint("(no|yes)"))))[0].text in ("no", "yes")
    run(other.aclose())
    assert run(engine.call(call(constraint=Constraint("(no|yes)"))))[0].text in ("no", "yes")
    with pytest.raises(EngineError, match="not running"):
        run(other.call(call()))


def test_threads_a_running_loop_and_rewards_share_one_engine(vllm_model, engine):
    """All calls go through genrm's one private loop, so nobody has to know which thread vLLM was started on."""
    rubric = {"name": "r", "critique_tokens": 16, "criteria": [{"id": "ok", "ask": "Is it right?"}]}
    judge = Judge(rubric, f"vllm:{vllm_model}", engine_options=SMALL)
    assert judge.engine() is engine

    def judged(index: int) -> str:
        return judge.judge(prompt="2+2?", response=str(index)).status

    async def inside() -> list[str]:
        return [judged(99), *await asyncio.gather(*(asyncio.to_thread(judged, index) for index in range(8)))]

    assert asyncio.run(inside()) == ["ok"] * 9
    assert judged(100) == "ok"  # the loop that was running then is closed now
    rewards = RewardFunction(judge)(prompts=["2+2?"] * 2, completions=["4", "5"])
    assert all(0.0 <= reward <= 1.0 for reward in rewards)


def test_thinking_comes_before_the_grammar(engine):
    thinking = Thinking("</think>", 12)
    replies = run(engine.call(call(constraint=Constraint("(no|yes)"), thinking=thinking, seeds=tuple(range(40)))))
    ended = [r for r in replies if r.finish == "stop"]
    cut = [r for r in replies if r.finish == "length"]
    assert ended, "none of 40 ended its thinking; use other seeds"
    assert cut, "none of 40 ran out of room; use other seeds"
    for reply in ended:
        assert reply.text in ("no", "yes")
        assert "</think>" not in reply.thinking
    for reply in cut:
        assert reply.text == ""
        assert reply.thinking


def test_a_judge_that_thinks_too_long_is_closed(engine):
    completions = complete(engine, thinking=Thinking("</think>", 4), seeds=tuple(range(8)), temperature=1.0)
    plan = plan_output({"ok": ("no", "yes")}, critique_tokens=24)
    assert any("thinking" in completion.closed for completion in completions)
    for completion in completions:
        assert plan.parse(completion.text).labels["ok"] in ("no", "yes")
        assert completion.thinking is not None


def test_prefills_with_thinking_have_its_marks_once(engine):
    tokens = engine._prompts.tokens(call(prefill='<think>so</think>{"label":"'))
    text = b"".join(map(engine._reader.piece, tokens)).decode()
    assert text.endswith('<|im_start|>assistant\n<think>so</think>{"label":"')
    plain = b"".join(map(engine._reader.piece, engine._prompts.tokens(call(prefill='{"label":"')))).decode()
    assert plain.endswith('<think></think>{"label":"')  # what the template writes for no thinking


def test_too_long_is_an_overflow(engine):
    with pytest.raises(ContextOverflowError, match="reads 2048"):
        run(engine.call(call(max_tokens=4000)))


def test_a_deadline_calls_the_request_off(engine):
    with pytest.raises(DeadlineError):
        run(engine.call(call(max_tokens=1500, timeout_s=0.01)))
    _is_idle(engine)


def test_a_cancelled_call_is_called_off_in_vllm(engine):
    async def cancelled() -> None:
        task = asyncio.ensure_future(engine.call(call(max_tokens=1500, seeds=tuple(range(4)))))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(cancelled())
    _is_idle(engine)


def _is_idle(engine: Any) -> None:
    assert engine._core.get_num_unfinished_requests() == 0
    [reply] = run(engine.call(call()))
    assert isinstance(reply, Reply)


def test_a_broken_grammar_fails_its_call_alone(engine):
    with pytest.raises(EngineError) as caught:
        run(engine.call(call(constraint=Constraint("(no|yes"))))
    assert not caught.value.can_retry
    _is_idle(engine)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"structured_outputs_config": {"backend": "auto"}}, "structured_outputs_config"),
        ({"grammar": "auto"}, "grammar"),
        ({"logprobs_mode": "processed_logprobs"}, "logprobs_mode"),
        ({"tensor_paralel_size": 2}, "did you mean 'tensor_parallel_size'"),
        ({"lora": "nowhere"}, "lora"),
    ],
)
def test_a_wrong_option_is_named(vllm_model, options, words):
    with pytest.raises(SpecError, match=words):
        open_engine(f"vllm:{vllm_model}", **options)


@pytest.mark.parametrize(
    "options", [{"enable_chunked_prefill": True}, {"max_num_batched_tokens": 512}, {"dtype": "float7"}]
)
def test_what_would_end_the_engine_is_refused(vllm_model, options):
    engine = open_engine(f"vllm:{vllm_model}", **(SMALL | options))
    with pytest.raises(SpecError, match=next(iter(options))):
        run(engine.start())


def test_an_adapter_changes_the_judge(vllm_model, engine, tmp_path):
    adapter = _adapter(tmp_path / "strict", vllm_model)
    tuned = open_engine(f"vllm:{vllm_model}", lora=str(adapter), **SMALL)
    assert tuned.model != engine.model
    run(tuned.start())
    asked = call(prefill='{"label":"')
    plain, other = (run(e.read_slot(asked, ("no", "yes"))) for e in (engine, tuned))
    run(tuned.aclose())
    assert abs(plain.p["yes"] - other.p["yes"]) > 0.01


def _adapter(folder: Path, base: Path) -> Path:
    """A LoRA adapter of rank 4 on the first layer's query projection."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    config = {"peft_type": "LORA", "base_model_name_or_path": str(base), "r": 4, "lora_alpha": 64, "bias": "none"}
    (folder / "adapter_config.json").write_text(
        json.dumps(config | {"target_modules": ["q_proj"], "task_type": "CAUSAL_LM", "lora_dropout": 0.0})
    )
    torch.manual_seed(3)
    name = "base_model.model.model.layers.{}.self_attn.q_proj.lora_{}.weight"
    weights = {}
    for layer in range(2):
        weights[name.format(layer, "A")] = torch.randn(4, 64)
        weights[name.format(layer, "B")] = torch.randn(64, 4)
    save_file(weights, folder / "adapter_model.safetensors")
    return folder


def test_the_embedded_judge_says_the_same_as_under_tiny():
    rows = [json.loads(line) for line in (EXAMPLES / "tutor.jsonl").read_text().splitlines()]
    rows += _sums(60)
    options = SMALL | {"max_num_batched_tokens": 4096}
    ours = Judge(EXAMPLES / "tutor.yaml", f"vllm:{tiny_dir('default')}", votes=1, engine_options=options)
    theirs = Judge(EXAMPLES / "tutor.yaml", "tiny", votes=1)
    same = total = 0
    for left, right in zip(ours.judge_many(rows), theirs.judge_many(rows), strict=True):
        assert left.status == right.status == "ok"
        for name, result in right.criteria.items():
            total += 1
            same += left.criteria[name].label == result.label
            if result.p and left.criteria[name].p:
                assert set(left.criteria[name].p) == set(result.p)
    assert same / total >= 0.99, f"{same} of {total} labels agree"


def _sums(count: int) -> list[dict[str, str]]:
    rows = []
    for index in range(count):
        left, right = 12 + 7 * index % 80, 3 + 11 * index % 50
        said = left + right + (index % 3 == 0)
        steps = f"{left} + {right} = {said}\n" if index % 2 else ""
        rows.append(
            {
                "id": f"sum-{index}",
                "prompt": f"What is {left} + {right}?",
                "reference": str(left + right),
                "response": f"{steps}The answer is {said}.",
            }
        )
    return rows


def test_a_dead_engine_says_so_and_ends_a_run(vllm_model):
    import psutil

    from genrm.engines.wire.circuit import stoppable

    before = {child.pid for child in psutil.Process().children(recursive=True)}
    engine = open_engine(f"vllm:{vllm_model}", **SMALL)
    run(engine.start())
    for child in psutil.Process().children(recursive=True):
        if child.pid not in before and "EngineCore" in child.name() + "".join(child.cmdline()):
            child.kill()
    end = time.monotonic() + 60
    while not engine._core.errored and time.monotonic() < end:
        time.sleep(0.1)
    with pytest.raises(EngineError, match="has ended") as caught:
        run(engine.call(call()))
    assert caught.value.can_retry

    async def in_a_run() -> None:
        with stoppable():
            await engine.call(call())

    with pytest.raises(RunStoppedError, match="go on"):
        run(in_a_run())
    run(engine.aclose())


SCRIPT = """
    import os, sys, time
    from genrm.judging.judge import Judge
    options = {"kv_cache_memory_bytes": 64 << 20, "max_model_len": 2048}
    judge = Judge({"name": "r", "criteria": [{"id": "ok", "ask": "Is it right?"}]}, "vllm:" + sys.argv[1],
                  engine_options=options)
    print("status", judge.judge(prompt="2+2?", response="4").status, flush=True)
    time.sleep(float(sys.argv[2]))
"""


def _script(tmp_path: Path, model: Path, sleep: float) -> subprocess.Popen[str]:
    # No `if __name__ == "__main__"`: a process that vLLM spawns must not run it a second time.
    (tmp_path / "plain.py").write_text(textwrap.dedent(SCRIPT))
    command = [sys.executable, str(tmp_path / "plain.py"), str(model), str(sleep)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_plain_script_ends_and_leaves_nothing(vllm_model, tmp_path):
    script = _script(tmp_path, vllm_model, 0)
    out, errors = script.communicate(timeout=400)
    assert out.split() == ["status", "ok"], errors
    assert script.returncode == 0
    assert "Traceback" not in errors


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_a_script_that_is_killed(vllm_model, tmp_path, how):
    import psutil

    script = _script(tmp_path, vllm_model, 600)
    assert script.stdout is not None
    assert script.stdout.readline().split() == ["status", "ok"]
    children = psutil.Process(script.pid).children(recursive=True)
    assert children
    script.send_signal(how)
    script.wait(60)
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive


def test_the_command_line_judges_and_can_be_interrupted(vllm_model, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in _sums(2000)))
    genrm = [sys.executable, "-c", "from genrm.cli import main; main()", "judge", str(rows), "-r"]
    rubric = tmp_path / "rubric.yaml"
    rubric.write_text("name: r\ncritique_tokens: 24\ncriteria: [{id: ok, ask: 'Is the answer right?'}]\n")
    genrm += [str(rubric), "-m", f"vllm:{vllm_model}", "-o", str(tmp_path / "out.jsonl")]
    for name, value in SMALL.items():
        genrm += ["--engine-arg", f"{name}={value}"]
    whole = subprocess.run([*genrm, "--limit", "2"], capture_output=True, text=True, timeout=400)
    assert whole.returncode == 0, whole.stderr
    command = subprocess.Popen([*genrm, "--restart"], stderr=subprocess.PIPE, text=True, start_new_session=True)
    end = time.monotonic() + 300
    while len((tmp_path / "out.jsonl").read_text().splitlines()) < 3 and time.monotonic() < end:
        time.sleep(0.2)
    os.killpg(command.pid, signal.SIGINT)  # as a terminal does: every process of the command gets it
    _, errors = command.communicate(timeout=120)
    assert command.returncode == 130, errors
    done = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert 0 < len(done) < 2000
    assert all(row["status"] == "ok" for row in done)
    assert _is_gone(command.pid)


def _is_gone(group: int) -> bool:
    """Whether the last process of a group ends within a minute."""
    for _ in range(600):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
