"""Every engine behaves alike: each case of the suite runs against each engine that does not declare to lack it.

    pytest tests/engines/conformance                      # tiny, hf, http and litellm on a fake server, replay
    .venv-vllm/bin/pytest -m vllm tests/engines/conformance

The server behind ``http`` and ``litellm`` is a fake that walks at random over what it is allowed to say; it is there
for the wire format, the probing and the reading, and the one that it cannot stand for, a real vLLM, has columns of
its own.
"""

from __future__ import annotations

import importlib.util
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from conformance_cases import CASES, Bench
from engine_features import COLUMNS, FEATURES
from walk_model import Walk
from walk_server import MODEL, serving_walk

from genrm.engines.base import Capabilities
from genrm.engines.calls.call import Offers
from genrm.engines.calls.write import write
from genrm.engines.records import header_of, record_of
from genrm.engines.replay import ReplayEngine
from genrm.errors import RefusedError
from genrm.judging.judge import Judge
from genrm.judging.runtime import Runtime


class Walking:
    """The random walk as an engine, to make recordings of."""

    name = model = "walk"
    capabilities = Capabilities()

    def __init__(self) -> None:
        self.walk = Walk(Offers("regex", prefill=True, top_logprobs=200, n=True, seeds=True))

    async def complete(self, request):
        if "REFUSE" in request.messages[0]["content"]:
            return [RefusedError("no") for _ in request.seeds]
        return await write(request, self.walk)


class Replaying:
    """Records what the walk says to a request, and answers it from the recording."""

    def __init__(self, folder: Path) -> None:
        self.source, self.folder = Walking(), folder
        self.capabilities = Walking.capabilities

    async def complete(self, request):
        path = self.folder / "records.jsonl"
        outcomes = await self.source.complete(request)
        records = [header_of(self.source), *(record_of(request, i, outcome) for i, outcome in enumerate(outcomes))]
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        engine = ReplayEngine(str(path))
        self.capabilities = engine.capabilities
        try:
            return await engine.complete(request)
        finally:
            await engine.aclose()


@pytest.fixture(scope="session")
def open_bench(model_folder, tmp_path_factory, request):
    """Opens the engine of a column, once a session."""
    benches: dict[str, Bench] = {}
    runtime = Runtime()
    with ExitStack() as stack:

        def walk_url() -> str:
            walk = Walk(Offers("regex", prefill=True), long=1.0)
            return stack.enter_context(serving_walk(walk))

        def engine(name: str) -> Any:
            if name == "tiny":
                return runtime.engine("tiny", {})
            if name == "hf":
                return runtime.engine(
                    f"hf:{model_folder('qwen3')}", {"device": "cpu", "dtype": "float64", "threads": 1}
                )
            if name == "http":
                options = {"probe": False, "grammar": "json_schema", "n": True, "seeds": True, "prefill": False}
                options |= {"top_logprobs": 20, "thinking": False}
                return runtime.engine(f"{walk_url()}#{MODEL}", options)
            if name == "litellm":
                options = {"api_base": walk_url(), "grammar": "json_schema"}
                return runtime.engine(f"litellm:openai/{MODEL}", options)
            if name == "replay":
                return Replaying(tmp_path_factory.mktemp("replay"))
            folder = request.getfixturevalue("vllm_model")
            if name == "served":
                server = request.getfixturevalue("serve_vllm")(folder)
                return runtime.engine(f"{server.url}#{server.model}", {"exact_slots": True})
            return runtime.engine(f"vllm:{folder}", {"exact_slots": True, "max_model_len": 2048})

        def bench(name: str) -> Bench:
            if name not in benches:
                benches[name] = Bench(name, engine(name), runtime)
            return benches[name]

        yield bench
        runtime.close()


def _marked(name: str, *more: str) -> Any:
    return pytest.param(name, *more, marks=[getattr(pytest.mark, mark) for mark in COLUMNS[name].marks])


NAMES = [_marked(name) for name in COLUMNS]
# An engine gets the cases of all that it does not declare to lack; what it declares is checked further down.
PAIRS = [_marked(name, case) for name, column in COLUMNS.items() for case in FEATURES if case not in column.lacks]


@pytest.fixture
def bench(name, open_bench):
    """The engine of a column."""
    needs = {"vllm": "vllm", "litellm": "litellm"}.get(name)
    if needs and importlib.util.find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed in this environment")
    return open_bench(name)


def test_the_suite_has_a_case_for_every_feature():
    assert list(CASES) == list(FEATURES)
    assert all(set(column.lacks) <= set(FEATURES) for column in COLUMNS.values())


@pytest.mark.parametrize(("name", "case"), PAIRS)
def test_engine(bench, case):
    CASES[case](bench)


@pytest.mark.parametrize("name", NAMES)
def test_an_engine_says_of_itself_what_the_table_says(bench):
    for name, feature in FEATURES.items():
        if feature.said is not None:
            assert feature.said(bench.engine) == (name not in COLUMNS[bench.name].lacks), name


def test_an_image_part_is_refused_with_words():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    prompt = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]}]
    [judgment] = Judge("helpfulness", model="tiny").judge_many([{"prompt": prompt, "response": "A cat."}])
    assert judgment.status == "failed"
    assert judgment.error.category == "bad_input"
    assert "image" in judgment.error.message
