"""Recorded outputs: found by sample, vote and criteria, and given as they were recorded."""

import asyncio
import gzip
import json

import pytest

from genrm import Judge
from genrm.compiler.output import FREE_TEXT, Free, plan_output
from genrm.compiler.request import JudgeRequest
from genrm.engines import open_engine
from genrm.engines.base import Completion, SlotReading, TextToken, Usage
from genrm.engines.records import header_of, outcome_of, record_of
from genrm.errors import EngineError, RefusedError, SpecError, TruncatedError
from genrm.resources import tiny_dir

SLOTS = {"clear": ("no", "yes")}
TWO = {"clear": ("no", "yes"), "kind": ("no", "yes")}


def request(sample="7", slots=SLOTS, seeds=(0,), first_vote=0):
    plan = plan_output(slots, critique_tokens=9)
    return JudgeRequest((), plan, tuple(seeds), sample_id=sample, first_vote=first_vote)


def say(label, **fields):
    return {"id": "7", "text": json.dumps({"critique": "", "label": label}), **fields}


@pytest.fixture
def replay(tmp_path):
    """Opens an engine on records; a record may be given as the text of its line."""

    def opened(*records, name="records.jsonl", **options):
        path = tmp_path / name
        lines = "".join((item if isinstance(item, str) else json.dumps(item)) + "\n" for item in records)
        if name.endswith(".gz"):
            path.write_bytes(gzip.compress(lines.encode()))
        elif name.endswith(".json"):
            path.write_text(json.dumps(list(records)))
        else:
            path.write_text(lines, encoding="utf-8")
        return open_engine(f"replay:{path}", **options)

    return opened


def ask(engine, *args, **kwargs):
    return asyncio.run(engine.complete(request(*args, **kwargs)))


def label_of(completion):
    return json.loads(completion.text)["label"]


@pytest.mark.parametrize("name", ["records.jsonl", "records.jsonl.gz", "records.json"])
def test_records_are_found_by_sample_and_vote(replay, name):
    engine = replay(say("no"), say("yes", vote=1), say("yes", id=8), say("no", id="größe"), name=name)
    assert [label_of(c) for c in ask(engine, seeds=(5, 6))] == ["no", "yes"]
    assert [label_of(c) for c in ask(engine, first_vote=1)] == ["yes"]
    assert label_of(ask(engine, "8")[0]) == "yes"
    assert label_of(ask(engine, "größe")[0]) == "no"


def test_criteria_tell_requests_of_a_sample_apart(replay):
    engine = replay(say("no", criteria=["clear"]), say("yes", criteria=["kind"]))
    assert not engine.capabilities.joint
    assert label_of(ask(engine, slots={"kind": ("no", "yes")})[0]) == "yes"
    [both] = ask(engine, slots=TWO)
    assert isinstance(both, EngineError)
    assert replay(say("no", criteria=["clear", "kind"])).capabilities.joint


def test_a_record_that_names_no_criteria_answers_for_all(replay):
    engine = replay(say("no"), say("yes", criteria=["kind"]))
    assert label_of(ask(engine)[0]) == "no"
    assert label_of(ask(engine, slots={"kind": ("no", "yes")})[0]) == "yes"


def test_what_is_missing_fails_and_says_where(replay):
    engine = replay(say("no"))
    found, missing = ask(engine, seeds=(0, 1))
    assert label_of(found) == "no"
    assert isinstance(missing, EngineError)
    assert not missing.can_retry
    for word in ("'7'", "vote 1", "clear", "records.jsonl"):
        assert word in str(missing)


def test_records_that_differ_about_the_same_are_refused(replay):
    with pytest.raises(SpecError, match=r"records\.jsonl:3: says something else about sample '7', vote 0 than line 1"):
        replay(say("no"), say("no", vote=1), say("yes"))
    assert label_of(ask(replay(say("no"), say("no"), say("no", usage={"requests": 1})))[0]) == "no"


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ("{", "is not JSON"),
        ("[1]", "no JSON object"),
        ({"id": "7"}, "no field 'text'"),
        ({"text": "x"}, "id is None"),
        ({"id": True, "text": "x"}, "id is True"),
        ({"id": "7", "text": "x", "vote": -1}, "vote is -1"),
        ({"id": "7", "text": "x", "criteria": "clear"}, "no list of ids"),
        ({"genrm_records": 99}, "version 99"),
        ({"genrm_records": 1}, "no first line"),
    ],
)
def test_lines_that_are_no_records_are_named(replay, record, says):
    with pytest.raises(SpecError) as caught:
        replay(say("no"), record)
    [fault] = caught.value.faults
    assert fault.line == 2
    assert says in str(fault)
    assert fault.fix


def test_files_that_hold_none(replay, tmp_path):
    with pytest.raises(SpecError, match="no such file"):
        open_engine(f"replay:{tmp_path / 'none.jsonl'}")
    with pytest.raises(SpecError, match="no recorded output"):
        replay()
    (tmp_path / "object.json").write_text("{}")
    with pytest.raises(SpecError, match="a list of records"):
        open_engine(f"replay:{tmp_path / 'object.json'}")
    (tmp_path / "broken.jsonl.gz").write_text("{}")
    with pytest.raises(SpecError, match="cannot be read"):
        open_engine(f"replay:{tmp_path / 'broken.jsonl.gz'}")


def test_how_an_output_ended(replay):
    engine = replay(
        say("no", finish_reason="length"),
        say("no", vote=1, finish_reason="content_filter"),
        say("no", vote=2, finish_reason="stop"),
        {"id": "7", "vote": 3, "error": TruncatedError("cut").row()},
        say("no", vote=4, slots={"clear": {"yes": 2.0}}),
    )
    cut, refused, ended, failed, broken = ask(engine, seeds=range(5))
    assert cut.cut
    assert isinstance(refused, RefusedError)
    assert not ended.cut
    assert isinstance(failed, TruncatedError)
    assert isinstance(broken, EngineError)
    assert "sum to 1" in str(broken)


def test_fields_of_other_files_are_found_by_path(replay):
    foreign = {"meta": {"row": 7}, "choices": [{"message": "Fine.", "why": "length"}]}
    paths = {"id": "meta.row", "text": "choices.0.message", "finish_reason": "choices.0.why"}
    [completion] = ask(replay(foreign, record=paths))
    assert (completion.text, completion.cut) == ("Fine.", True)
    by_place = replay({"out": "first"}, {"out": "second"}, record={"text": "out"})
    assert ask(by_place, "1")[0].text == "second"
    assert ask(replay(say("no"), record=paths))[0].text.endswith('"no"}')


def test_unused_records_are_told_once(replay, caplog):
    asyncio.run(replay(say("no")).aclose())  # a resumed run may ask for nothing at all
    engine = replay(say("no"), say("no", id="8"), say("no", id="9"))
    ask(engine)
    ask(engine)
    asyncio.run(engine.aclose())
    asyncio.run(engine.aclose())
    [record] = caplog.records
    assert "2 of 3 recorded outputs were not asked for" in record.getMessage()


def test_the_fingerprint_is_of_the_content(replay):
    first = replay(say("no"), name="a.jsonl").model
    assert replay(say("no"), name="a.jsonl").model == first
    assert replay(say("yes"), name="a.jsonl").model != first


def test_a_record_holds_everything_of_a_completion():
    completion = Completion(
        '{"critique":"\\ud800","label":"yes"}',
        Usage(1, 20, 10, 5, 0.0),
        {"clear": SlotReading({"no": 0.1 + 0.2, "yes": 0.7}, 1e-9)},
        {"clear": (TextToken("é", 1 / 3, {"é": 1 / 3, "e": 0.1}),)},
        cut=True,
        closed=("clear",),
        thinking="Hm.",
    )
    record = json.loads(json.dumps(record_of(request(first_vote=3), 1, completion)))
    assert (record["id"], record["vote"], record["criteria"]) == ("7", 4, ["clear"])
    assert outcome_of(record) == completion
    error = RefusedError("no").spent(Usage(requests=1))
    again = outcome_of(json.loads(json.dumps(record_of(request(), 0, error))))
    assert (type(again), str(again), again.usage) == (RefusedError, "no", error.usage)


def test_log_probabilities_as_the_openai_api_writes_them():
    top = [{"token": "m", "logprob": -0.5}, {"token": "M", "logprob": -1.0}, {"token": "x", "logprob": -9999.0}]
    content = [{"token": "m", "logprob": -0.5, "top_logprobs": top}]
    for logprobs in (content, {"content": content}):
        [token] = outcome_of({"id": "7", "text": "m", "logprobs": logprobs}).tokens[FREE_TEXT]
        assert token.alternatives == pytest.approx({"m": 0.60653, "M": 0.36788}, abs=1e-5)


def test_a_recording_gives_the_same_completions(open_hf, replay):
    """Every draw of a random model, whose critiques and probabilities nobody could guess."""
    engine = open_hf("lfm2")
    requests = [
        JudgeRequest(({"role": "user", "content": text},), plan_output(slots, critique_tokens=9), (1, 2, 3), 1.0, text)
        for text in ("2+2?", "3+3?")
        for slots in (SLOTS, TWO)
    ]
    lines, outcomes = [header_of(engine)], []
    for asked in requests:
        outcomes.append(asyncio.run(engine.complete(asked)))
        lines += [record_of(asked, index, outcome) for index, outcome in enumerate(outcomes[-1])]
    again = replay(*lines)
    assert again.capabilities.prompts == engine.capabilities.prompts
    assert [asyncio.run(again.complete(asked)) for asked in requests] == outcomes
    assert len({completion.text for votes in outcomes for completion in votes}) > 6


@pytest.mark.skipif(not (tiny_dir() / "model.safetensors").is_file(), reason="the embedded judge has no weights here")
def test_a_replayed_run_gives_the_same_rows(tmp_path):
    """The embedded judge decides inside its critique and is re-checked in code, both of which a recording keeps."""
    rows = [{"id": str(n), "prompt": "2+2?", "response": f"It is {n}.", "reference": "4"} for n in range(2, 6)]
    path = tmp_path / "recorded.jsonl"
    live = Judge("math-verify", votes=3, record=path).judge_many(rows)
    again = Judge("math-verify", model=f"replay:{path}", votes=3).judge_many(rows)
    for before, after in zip(live, again, strict=True):
        assert after.judge["engine"] == "replay"
        assert json.dumps({**after.row(), "judge": None}) == json.dumps({**before.row(), "judge": None})
        assert after.status == "ok"


def test_a_free_output_of_a_local_model(open_hf):
    engine = open_hf("lfm2")
    plan = plan_output(SLOTS, critique_tokens=9, free=Free("x@y", 12, logprobs=True))
    asked = JudgeRequest(({"role": "user", "content": "2+2?"},), plan, (1, 2, 1), 1.0)
    first, second, again = asyncio.run(engine.complete(asked))
    assert (first.text, first.tokens) == (again.text, again.tokens)
    assert first.text != second.text
    for completion in (first, second):
        tokens = completion.tokens[FREE_TEXT]
        assert len(tokens) == completion.usage.completion_tokens
        assert completion.cut == (len(tokens) == 12)
        assert all(0 < token.p <= 1 for token in tokens)
    silent = plan_output(SLOTS, critique_tokens=9, free=Free("x@y", 12))
    [plain] = asyncio.run(engine.complete(JudgeRequest(asked.messages, silent, (1,), 1.0)))
    assert (plain.text, plain.tokens) == (first.text, {})


@pytest.mark.parametrize(
    "field",
    [
        {"logprobs": [{"token": "A", "logprob": float("nan")}]},
        {"logprobs": [{"token": "A", "logprob": 5000.0}]},
        {"tokens": {"text": [["A", float("nan"), {}]]}},
        {"usage": {"prompt_tokens": "many"}},
        {"usage": {"cost_usd": float("nan")}},
    ],
)
def test_a_record_with_a_number_that_is_none_is_an_error(field):
    from genrm.engines.records import outcome_of

    with pytest.raises(ValueError, match=r"log-prob|probability|usage"):
        outcome_of({"id": "1", "text": "A"} | field)


def test_an_aborted_output_was_cut():
    from genrm.engines.records import outcome_of

    assert outcome_of({"id": "1", "text": "[[A]]", "finish_reason": "abort"}).cut
