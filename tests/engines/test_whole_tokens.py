"""Scales of 1 to 10 on servers without prefills, where no call can tell what follows a token 1."""

import pytest
from walk_model import Walk
from walk_server import serving_walk

from genrm import Judge
from genrm.engines.calls.call import Offers

TEN = {
    "name": "ten",
    "version": "1.0",
    "critique": False,
    "criteria": [{"id": "quality", "ask": "How good is it?", "scale": {"min": 1, "max": 10}}],
}


@pytest.mark.parametrize("kind", ["http", "litellm"])
def test_a_distribution_that_rests_on_an_assumption_is_for_who_asks_for_it(kind, monkeypatch):
    if kind == "litellm":
        pytest.importorskip("litellm", reason="the extra [api] is not installed")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with serving_walk(Walk(Offers("json_schema", top_logprobs=20))) as url:
        model = url if kind == "http" else "litellm:openai/gpt-4o-mini"
        options = {"top_logprobs": 20} if kind == "http" else {"api_base": url}

        def p(**more):
            [result] = Judge(TEN, model, engine_options=options | more).judge(response="Fine.").criteria.values()
            assert result.status == "ok"
            return result.p

        assert p() is None
        assert sum(p(whole_tokens=True).values()) == pytest.approx(1)
