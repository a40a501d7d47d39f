"""Every fault over real connections: what becomes of it, how often it is tried, and what leaks (nothing)."""

import asyncio
import logging
import ssl
import subprocess
import time

import orjson
import pytest
from faulty_server import FATES, FAULTS, FaultyServer, fate_of, label_of

import genrm
from genrm.compiler.output import plan_output
from genrm.compiler.request import JudgeRequest
from genrm.engines import open_engine
from genrm.engines.wire import errors
from genrm.engines.wire.retry import Backoff
from genrm.errors import (
    ContextOverflowError,
    DeadlineError,
    EngineError,
    JudgeError,
    RateLimitedError,
    RefusedError,
    SpecError,
)

LABELS = ("no", "yes")
SECRET = "sk-very-secret-0123456789"
QUICK = {"probe": False, "grammar": "regex"}


@pytest.fixture
def server():
    with FaultyServer() as running:
        yield running


def request(row=0, *, seeds=(0,), timeout_s=60.0, temperature=1.0, text=""):
    message = {"role": "user", "content": f"{text} row-{row}"}
    return JudgeRequest(
        (message,), plan_output({"good": LABELS}, critique_tokens=64), seeds, temperature, "", timeout_s
    )


def ask(url, *requests, quick=True, **options):
    """Completions, or the error, of each request; all at once, on an engine of their own."""

    async def work():
        engine = open_engine(url, **QUICK, **options)
        if quick:
            engine._line.backoff = Backoff(tries=options.get("tries", 8), base_s=0.01, cap_s=0.02)
        try:
            await engine.start()
            return await asyncio.gather(*(engine.complete(item) for item in requests), return_exceptions=True)
        finally:
            await engine.aclose()

    return asyncio.run(asyncio.wait_for(work(), 120))


def label(completion):
    return orjson.loads(completion.text)["label"]


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in ("hang", "drip")])
def test_a_fault_that_passes_is_tried_again_and_the_verdict_is_the_right_one(server, fault):
    server.script.extend([fault, fault])
    [[completion]] = ask(server.url, request(7))
    assert label(completion) == label_of(7, list(LABELS))
    assert completion.slots["good"].p[label(completion)] == pytest.approx(0.8)
    # An answer that breaks its schema is asked for again with its fault shown, and so names its row a second time.
    assert server.counts[fault] == 2
    assert server.attempts[7] == 3


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_an_attempt_that_takes_too_long_is_made_again_when_attempts_have_a_limit(server, fault):
    server.script.extend([fault, fault])
    [[completion]] = ask(server.url, request(7), attempt_timeout=1.0)
    assert label(completion) == label_of(7, list(LABELS))
    assert server.attempts[7] == 3


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_without_one_it_ends_at_the_deadline_of_the_call(server, fault):
    server.script.append(fault)
    [error] = ask(server.url, request(7, timeout_s=0.5))
    assert isinstance(error, DeadlineError)
    assert error.can_retry
    assert server.attempts[7] == 1


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        ("429", RateLimitedError, "HTTP 429"),
        ("429 seconds", RateLimitedError, "later"),
        ("500", EngineError, "HTTP 500: fault 500"),
        ("502", EngineError, "HTTP 502"),
        ("503", EngineError, "HTTP 503"),
        ("529", RateLimitedError, "HTTP 529"),
        ("reset", EngineError, "the connection broke"),
        ("reset in the body", EngineError, "the connection broke in the middle of an answer"),
        ("truncated", EngineError, "the answer is not JSON"),
        ("content type", EngineError, "content type text/event-stream"),
        ("bad utf-8", EngineError, "the answer is not JSON"),
        ("html", EngineError, "502 Bad Gateway"),
        ("shape", EngineError, "no chat completion"),
    ],
)
def test_a_fault_that_stays_is_an_error_that_says_so(server, fault, kind, said):
    server.script.extend([fault] * 3)
    [error] = ask(server.url, request(7), tries=3)
    assert type(error) is kind
    assert said in error.message
    assert "/v1/chat/completions" in error.message
    assert error.can_retry
    assert server.attempts[7] == 3


def test_an_answer_that_stays_broken_is_unparseable_and_no_label(server):
    server.script.extend(["breaks the schema"] * 9)
    rubric = {"name": "q", "criteria": [{"id": "good", "ask": "Is it good?"}]}
    judgment = genrm.Judge(rubric, server.url, engine_options=QUICK).judge(response="row-7")
    assert judgment.reward is None
    assert judgment.error.row()["category"] == "unparseable"


@pytest.mark.parametrize("category", FATES.values())
def test_what_is_the_fault_of_the_request_is_not_tried_again(server, category):
    kinds = {"context_overflow": ContextOverflowError, "refused": RefusedError, "engine": EngineError}
    server.fates = True
    row = next(row for row in range(10_000) if fate_of(row) == category)
    [error] = ask(server.url, request(row))
    assert type(error) is kinds[category]
    assert not error.can_retry
    assert server.attempts[row] == 1


def test_wordings_of_servers_for_a_prompt_that_is_too_long():
    wordings = [
        (400, "This model's maximum context length is 512 tokens. However, you requested 600 tokens"),
        (400, "The decoder prompt (length 600) is longer than the maximum model length of 512."),
        (400, "You passed 481 input tokens and requested 64 output tokens. However, the model's context length is 512"),
        (400, "The input (600 tokens) is longer than the model's context length (512 tokens)."),
        (400, "Requested token count exceeds the model's maximum context length of 512 tokens."),
        (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 512. Given: 600"),
        (422, "Input validation error: `inputs` must have less than 511 tokens. Given: 600"),
        (400, "the request exceeds the available context size (512 tokens), try increasing it"),
        (400, "prompt is too long: 200001 tokens > 200000 maximum"),
        (400, '{"error": {"code": "context_length_exceeded", "message": "Too much"}}'),
    ]
    for status, text in wordings:
        fault = errors.of_response(status, {}, text.encode(), "POST /x")
        assert type(fault.error) is ContextOverflowError, text
        assert (fault.retry, fault.server) == (False, False)
    assert type(errors.of_response(400, {}, b"temperature must be in [0, 2]", "POST /x").error) is EngineError


@pytest.mark.parametrize(
    ("status", "body", "kind", "retry", "server_fault"),
    [
        (400, b'{"error":{"code":"content_filter","message":"no"}}', RefusedError, False, False),
        (403, b'{"error":{"message":"flagged by moderation"}}', RefusedError, False, False),
        (403, b"forbidden", EngineError, False, True),
        (404, b'{"error":{"message":"The model `x` does not exist."}}', EngineError, False, True),
        (413, b"", ContextOverflowError, False, False),
        (429, b'{"error":{"code":"insufficient_quota","message":"no money"}}', RateLimitedError, False, True),
        (308, b"", EngineError, False, True),
        (408, b"", DeadlineError, True, True),
        (504, b"", DeadlineError, True, True),
        (501, b"", EngineError, False, False),
    ],
)
def test_what_a_status_and_a_body_mean(status, body, kind, retry, server_fault):
    fault = errors.of_response(status, {}, body, "POST /x")
    assert (type(fault.error), fault.retry, fault.server) == (kind, retry, server_fault)
    assert fault.error.can_retry == retry


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Retry-After": "7"}, 7, 7),
        ({"Retry-After": "1.5"}, 1.5, 1.5),
        ({"retry-after-ms": "250"}, 0.25, 0.25),
        ({"Retry-After": "-3"}, 0, 0),
        ({"Retry-After": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 5000))}, 1000, 5001),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0, 0),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(headers, least, most):
    assert least <= errors.retry_after(headers) <= most


@pytest.mark.parametrize("value", ["soon", "", "nan", "inf", "Wed, 99 Oct"])
def test_a_retry_after_that_says_nothing_is_none(value):
    assert errors.retry_after({"Retry-After": value}) is None


def test_a_server_that_is_not_there_is_said_at_the_start(free_port):
    with pytest.raises(SpecError, match=r"no connection(.|\n)*is the server running"):
        ask(f"http://127.0.0.1:{free_port}/v1", request())
    with pytest.raises(SpecError, match="the name of the host cannot be resolved"):
        ask("http://no-such-host.invalid/v1", request())


@pytest.fixture
def free_port():
    with FaultyServer() as gone:
        return gone.port


def test_models_are_listed_where_one_must_be_named(server):
    server.models = [{"id": "a"}, {"id": "b"}]
    with pytest.raises(SpecError, match=r"2 models, not one.*#NAME with one of: a, b"):
        ask(server.url, request())
    with pytest.raises(SpecError, match=r"no model of this name.*'?c'?.*one of: a, b"):
        ask(f"{server.url}#c", request())
    [[completion]] = ask(f"{server.url}#b", request(3))
    assert label(completion) == label_of(3, list(LABELS))


def test_connections_are_kept_alive_and_never_more_than_the_bound(server):
    found = ask(server.url, *(request(row) for row in range(200)), concurrency=4)
    assert [label(item[0]) for item in found] == [label_of(row, list(LABELS)) for row in range(200)]
    assert len(server.connections) <= 4
    assert server.most_in_flight <= 4


def test_two_engines_of_a_process_share_the_pool(server):
    async def work():
        engines = [open_engine(server.url, **QUICK), open_engine(server.url, **QUICK, tries=2)]
        for engine in engines:
            await engine.start()
            await engine.complete(request())
        sessions = {id(engine._client._session) for engine in engines}
        await engines[0].aclose()
        await engines[1].complete(request())
        await engines[1].aclose()
        return sessions

    assert len(asyncio.run(work())) == 1
    assert len(server.connections) == 1


def test_concurrency_backs_off_to_what_the_server_bears_and_all_are_answered(server):
    server.capacity, server.delay_s = 6, 0.01

    async def work():
        engine = open_engine(server.url, **QUICK, tries=50)
        engine._line.backoff = Backoff(tries=50, base_s=0.02, cap_s=0.2)
        await engine.start()
        found = await asyncio.gather(*(engine.complete(request(row)) for row in range(300)))
        limit = engine._line.limiter.limit
        await engine.aclose()
        return found, limit

    found, limit = asyncio.run(asyncio.wait_for(work(), 120))
    assert [label(item[0]) for item in found] == [label_of(row, list(LABELS)) for row in range(300)]
    assert server.counts["over capacity"] > 0
    # It probes upwards by one now and then, and comes back.
    assert 1 <= limit <= 2 * server.capacity


def test_concurrency_grows_where_the_server_bears_it(server):
    server.delay_s = 0.05
    ask(server.url, *(request(row) for row in range(400)))
    assert server.most_in_flight > 64


def test_a_cancelled_call_closes_its_request(server):
    server.mode = None
    server.script.append("hang")

    async def work():
        engine = open_engine(server.url, **QUICK)
        await engine.start()
        call = asyncio.create_task(engine.complete(request()))
        while not server.in_flight:
            await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.wait([call])
        for _ in range(500):
            if not server.in_flight:
                break
            await asyncio.sleep(0.01)
        [completion] = await engine.complete(request(5))
        await engine.aclose()
        return completion

    assert label(asyncio.run(work())) == label_of(5, list(LABELS))
    assert server.cancelled == 1
    assert server.in_flight == 0


def test_any_unicode_arrives_whole(server):
    server.keep_bodies = True
    text = "naïve 日本 🙂 \u2028 \x00 \x7f \ufeff ‮ " + chr(0xD800)
    [[completion]] = ask(server.url, request(1, text=text))
    sent = server.bodies[0]["messages"][0]["content"]
    assert sent == text.replace(chr(0xD800), "\ufffd") + " row-1"
    assert "naïve “ok” 🙂 日本" in orjson.loads(completion.text)["critique"]


def test_the_key_goes_to_the_server_and_nowhere_else(server, monkeypatch, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("JUDGE_KEY", SECRET)
    server.key, server.echo_key = SECRET, True
    [[completion]] = ask(server.url, request(1), api_key_env="JUDGE_KEY")
    assert server.headers[-1]["Authorization"] == f"Bearer {SECRET}"
    engine = open_engine(server.url, **QUICK, api_key_env="JUDGE_KEY")
    said = [repr(engine), repr(engine._client), repr(completion), str(engine.report()), caplog.text]
    # A server that repeats the key it was given, in a refusal.
    server.key = "another"
    with pytest.raises(SpecError) as caught:
        ask(server.url, request(1), api_key_env="JUDGE_KEY")
    said.append(str(caught.value))
    assert "HTTP 401" in said[-1]
    assert "$JUDGE_KEY" in said[-1]
    assert "***" in said[-1]
    assert not [text for text in said if SECRET in text]


def test_a_key_that_is_refused_in_a_run_is_in_no_row(server, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", SECRET)
    server.key = SECRET
    options = QUICK | {"api_key_env": "JUDGE_KEY"}
    rubric = {"name": "q", "criteria": [{"id": "good", "ask": "Is it good?"}]}
    judge = genrm.Judge(rubric, server.url, engine_options=options)
    assert judge.judge(response="row-1").status == "ok"
    server.key, server.echo_key = "another", True
    row = judge.judge(response="row-1").row()
    assert row["error"]["category"] == "engine"
    assert not row["error"]["retryable"]
    assert "$JUDGE_KEY" in row["error"]["message"]
    assert SECRET not in str(row)


def test_a_key_is_named_and_never_repeated(server, monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(SpecError, match="export NO_SUCH_KEY="):
        open_engine(server.url, api_key_env="NO_SUCH_KEY")
    for mistake in (SECRET, "hf_abcdefghijklmnop"):
        with pytest.raises(SpecError) as caught:
            open_engine(server.url, api_key_env=mistake)
        assert mistake not in str(caught.value)
    with pytest.raises(SpecError, match="URL holds a password") as caught:
        open_engine("http://user:hunter2@localhost:1/v1")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"concurrency": [8, 4]}, "concurrency"),
        ({"concurrency": "many"}, "concurrency"),
        ({"max_connections": 0}, "max_connections"),
        ({"tries": 0}, "tries"),
        ({"attempt_timeout": -1}, "attempt_timeout"),
        ({"patience": "long"}, "patience"),
        ({"grammar": "xml"}, "grammar"),
        ({"extra_body": [1]}, "extra_body"),
        ({"ca_file": "nowhere.pem"}, "ca_file"),
    ],
)
def test_an_option_that_is_wrong_is_named(options, field):
    with pytest.raises(SpecError, match=rf"\b{field}\b"):
        open_engine("http://localhost:1/v1", **options)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("the program openssl is not installed")
    return folder


def test_certificates_are_checked_unless_told_otherwise(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    server = FaultyServer().start(ssl_context=context)
    try:
        url = server.url.replace("http:", "https:")
        with pytest.raises(SpecError, match="certificate is not trusted"):
            ask(url, request(1))
        for options in ({"ca_file": str(certificate / "cert.pem")}, {"verify_tls": False}):
            [[completion]] = ask(url, request(1), **options)
            assert label(completion) == label_of(1, list(LABELS))
    finally:
        server.stop()


def test_tls_to_a_server_without_it_is_said(server):
    with pytest.raises(SpecError, match="no TLS connection"):
        ask(server.url.replace("http:", "https:"), request(1))


def test_votes_share_a_request_and_each_is_its_own(server):
    [votes] = ask(server.url, request(3, seeds=(4, 5, 6)))
    assert len({vote.text for vote in votes}) == 3
    assert server.attempts[3] == 1
    assert [vote.usage.requests for vote in votes] == [1, 0, 0]
    [apart] = ask(server.url, request(3, seeds=(4, 6, 8)))
    assert server.attempts[3] == 4
    assert [apart[0].text, apart[1].text] == [votes[0].text, votes[2].text]


def test_a_vote_that_fails_leaves_the_others(server):
    server.script.extend(["none", "500", "none"])
    [votes] = ask(server.url, request(3, seeds=(4, 6, 8)), tries=1)
    assert sum(isinstance(vote, JudgeError) for vote in votes) == 1
    assert all(label(vote) == label_of(3, list(LABELS)) for vote in votes if not isinstance(vote, JudgeError))


def test_fields_for_every_request(server):
    server.keep_bodies = True
    ask(server.url, request(1), extra_body={"top_k": 5, "seed": None})
    assert server.bodies[0]["top_k"] == 5
    assert "seed" not in server.bodies[0]
