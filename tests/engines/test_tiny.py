"""The embedded judge as an engine; how well it judges is the model card's matter."""

import asyncio
import re

import pytest

from genrm.compiler.output import plan_output
from genrm.compiler.request import JudgeRequest
from genrm.engines import open_engine
from genrm.verdicts.read import read_verdicts

ASK = "does the response's final answer equal the reference answer?"


@pytest.fixture(scope="module", params=["tiny", "tiny:unhardened"])
def tiny(request):
    engine = open_engine(request.param)
    yield engine
    asyncio.run(engine.aclose())


def question(response, reference, seeds=(0,), temperature=0.0, labels=("no", "yes")):
    content = f"<|criterion|>{ASK}<|reference|>{reference}<|response|>{response}"
    plan = plan_output({"correct": labels}, critique_tokens=64)
    return JudgeRequest(({"role": "user", "content": content},), plan, seeds, temperature)


def test_it_says_what_it_is(tiny):
    assert tiny.name in ("tiny", "tiny:unhardened")
    assert re.fullmatch(rf"{tiny.card.name}@{tiny.card.version}:[0-9a-f]{{12}}", tiny.model)
    assert tiny.card.demonstration
    assert tiny.card.notice
    assert tiny.capabilities.prompts == "compact"
    assert not tiny.capabilities.joint
    assert {"<|criterion|>", "<|response|>", "<|assistant|>"} <= tiny.capabilities.control_tokens


def test_it_decides_inside_its_critique(tiny, complete):
    request = question("2 and 2 make 4. The answer is 4.", "5")
    [completion] = complete(tiny, request)
    verdict = read_verdicts(request, completion, card=tiny.card)["correct"]
    assert verdict.label == "no"
    assert verdict.read == "critique"
    assert verdict.p["no"] > 0.5


def test_company_and_order_change_nothing(tiny, complete):
    requests = [
        question(
            f"So {n} apples and {n * 7} pears. " * (n % 4) + f"The answer is {n}.", str(40 + n % 3), (n, n + 1), 1.0
        )
        for n in range(38, 50)
    ]
    together = complete(tiny, *requests)
    alone = [complete(tiny, request) for request in reversed(requests)][::-1]
    for first, second in zip(together, alone, strict=True):
        for one, other in zip(first, second, strict=True):
            assert one.text == other.text
            assert one.slots["correct"].p == pytest.approx(other.slots["correct"].p, abs=1e-9)
            for left, right in zip(one.tokens["correct"], other.tokens["correct"], strict=True):
                assert left.p == pytest.approx(right.p, abs=1e-9)


def test_labels_keep_their_capitals_though_the_tokenizer_has_none(tiny, complete):
    request = question("The answer is 4.", "4", labels=("No", "YES, indeed"))
    [completion] = complete(tiny, request)
    assert request.output.parse(completion.text).labels["correct"] in ("No", "YES, indeed")
