"""The engine ``http://host:port/v1[#model]``: a judge behind any OpenAI-compatible server.

    >>> engine = OpenAIEngine("http://localhost:8000/v1#my-judge", api_key_env="MY_KEY")     # doctest: +SKIP
    >>> await engine.start()                                                                 # doctest: +SKIP
    >>> completions = await engine.complete(request)                                         # doctest: +SKIP

Made for ``vllm serve``, SGLang, TGI and llama.cpp. What a server can do is asked once (:mod:`.wire.probe`), what it
bears is learnt as the run goes on (:mod:`.wire.limits`), and what it breaks is mended or said (:mod:`.wire.retry`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Capabilities, Completion, SlotReading
from genrm.engines.calls.asking import Settings
from genrm.engines.calls.call import Call, Offers, Reply
from genrm.engines.calls.write import write
from genrm.engines.wire import replies
from genrm.engines.wire.bodies import Dialect, build, encode
from genrm.engines.wire.circuit import PING_TIMEOUT_S, Circuit, is_stoppable
from genrm.engines.wire.client import Client
from genrm.engines.wire.exact import ExactSlots
from genrm.engines.wire.limits import Limiter
from genrm.engines.wire.models import Served, choose
from genrm.engines.wire.options import bounds, check
from genrm.engines.wire.probe import Probe, Prober
from genrm.engines.wire.retry import Backoff, Line
from genrm.errors import Fault, JudgeError, SpecError

_probes: dict[tuple[str, str, str], Probe] = {}
"""What is known of servers, by base URL, model and extra fields; engines with other options share it."""

START_TRIES = 4
"""A server that does not answer at the start is most likely a wrong address: that should be said soon."""


class OpenAIEngine:
    """A model behind a server as an engine.

    Args:
        url: up to ``/v1``, and ``#`` with the model's name where the server has several.
        api_key_env: name of the environment variable that holds the key; without it none is sent.
        verify_tls: check the server's certificate.
        ca_file: certificates (PEM) to check it with, in place of the system's.
        max_connections: most calls in flight.
        concurrency: ``[least, most]`` calls in flight, or most alone; within it the engine finds out what the server
            bears.
        tries: attempts per call.
        attempt_timeout: seconds after which an attempt is given up and made again within the deadline of its call;
            None is half of the call's time, at least 60.
        patience: seconds that calls wait for a server that fails them all, before the run is ended.
        extra_body: fields for every request; null takes one out.
        exact_slots: read score slots by ``logprob_token_ids``, exact and with the mass outside the labels, at the
            cost of one more small call per slot; only vLLM has it.
        whole_tokens: where a label begins another one (1 and 10) and no call can tell them apart, for want of prefills,
            take a token that spells a label for that label: an assumption, and without it such a slot has no
            distribution.
        probe: ask the server what it can do; without it the options below and, for what they leave open, the plain
            OpenAI API (``grammar=json_schema``, 20 alternatives, ``n``) are taken for granted.
        grammar: ``regex``, ``json_schema``, ``json_object`` or ``none``, in place of what the probe finds.
        top_logprobs, n, seeds, prefill, thinking: likewise.
        context_tokens: longest prompt plus output, where the server does not say.

    Attributes:
        model: the name that the server serves the model under; known after :meth:`start`.
        probe: what was found out; None before :meth:`start`.

    Raises:
        SpecError: the URL or an option is wrong.
    """

    name = "openai"

    def __init__(
        self,
        url: str,
        *,
        api_key_env: str | None = None,
        verify_tls: bool = True,
        ca_file: str | None = None,
        max_connections: int = 256,
        concurrency: int | Sequence[int] | None = None,
        tries: int = 8,
        attempt_timeout: float | None = None,
        patience: float = 300.0,
        extra_body: Mapping[str, Any] | None = None,
        exact_slots: bool = False,
        whole_tokens: bool = False,
        probe: bool = True,
        grammar: str | None = None,
        top_logprobs: int | None = None,
        n: bool | None = None,
        seeds: bool | None = None,
        prefill: bool | None = None,
        thinking: bool | None = None,
        context_tokens: int | None = None,
    ) -> None:
        base, _, self._wanted = url.partition("#")
        self._client = Client(base, key_env=api_key_env, verify_tls=verify_tls, ca_file=ca_file)
        least, most = bounds(concurrency, max_connections)
        check(grammar, extra_body, tries=(tries, 1), patience=(patience, 0), attempt_timeout=(attempt_timeout, 0.001))
        self._extra = dict(extra_body or {})
        self._settings = Settings(exact_slots=exact_slots, whole_tokens=whole_tokens)
        self._ask_server = probe
        self._context_tokens = context_tokens
        given = {"grammar": grammar, "top_logprobs": top_logprobs, "n": n, "seeds": seeds}
        given |= {"prefill": prefill, "thinking": thinking}
        self._given: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        self._backoff = Backoff(tries=tries)
        ping_s = min(PING_TIMEOUT_S, attempt_timeout or PING_TIMEOUT_S)
        circuit = Circuit(self._ping, name=self._client.base_url, patience_s=patience, ping_timeout_s=ping_s)
        self._line = Line(Limiter(least=least, most=most), circuit, self._backoff, attempt_s=attempt_timeout)
        self.probe: Probe | None = None
        self.model = self._wanted
        self.offers = Offers()
        self.capabilities = Capabilities(queues=True)
        self._dialect = Dialect(self._wanted, extra=self._extra)
        self._exact = ExactSlots(self._post, self._dialect)

    def __repr__(self) -> str:
        return f"OpenAIEngine({self._client.base_url!r}, model={self.model!r})"

    async def start(self) -> None:
        """Find out which model to ask, and what the server can do.

        Raises:
            SpecError: the server does not answer, or serves no model or several, or not the one that was named.
        """
        try:
            await self._start()
        except BaseException:
            await self.aclose()
            raise

    async def _start(self) -> None:
        patient, self._line.backoff = self._line.backoff, replace(self._backoff, tries=START_TRIES)
        try:
            served = await self._served()
            self.model = served.name
            self._dialect = replace(self._dialect, model=self.model)
            self.probe = await self._find_out(served.context_tokens)
        except JudgeError as error:
            fix = "is the server running, and does the URL end in /v1?" if error.can_retry else None
            fault = Fault(error.message, field="model", value=self._client.base_url, fix=fix)
            raise SpecError(fault) from None
        finally:
            self._line.backoff = patient
        self._dialect = replace(self.probe.dialect, extra=self._extra)
        self.offers = self.probe.offers
        if self._settings.exact_slots and not self.offers.exact:
            fix = "leave exact_slots out; label distributions then come from the alternatives at the slot"
            fault = Fault("the server does not show named tokens (logprob_token_ids)", field="exact_slots", fix=fix)
            raise SpecError(fault)
        self.capabilities = Capabilities(
            probabilities=self.offers.top_logprobs > 0 or (self._settings.exact_slots and self.offers.exact),
            seeds=self.offers.seeds,
            context_tokens=self.probe.context_tokens,
            queues=True,
        )
        self._exact = ExactSlots(self._post, self._dialect)

    def report(self) -> list[tuple[str, str]]:
        """What is known of the server, for people."""
        limits = ("calls at once", f"{self._line.limiter.limit} now, at most {self._line.limiter.most}")
        return [("server", self._client.base_url), *(self.probe.rows() if self.probe else []), limits]

    async def complete(self, request: JudgeRequest) -> list[Completion | JudgeError]:
        """One completion per seed of the request, in that order, or the error in its place.

        Raises:
            JudgeError: there is none.
            RunStoppedError: the server stays away, in a run that can be resumed.
        """
        return await write(request, self, self._settings)

    def count_tokens(self, text: str) -> int | None:
        """None: the tokenizer is not at hand."""
        return None

    async def aclose(self) -> None:
        """Give the connections back."""
        await self._line.circuit.aclose()
        await self._client.aclose()

    async def call(self, call: Call) -> list[Reply | JudgeError]:
        """One reply per seed, in order, or the error in its place. Seeds that follow each other share a request.

        Raises:
            JudgeError: there is no reply at all.
        """
        seeds = call.seeds
        if len(seeds) == 1:
            return await self._several(call, seeds[0], 1)
        # Greedy texts are all the same, and vLLM refuses to write several of them.
        if self.offers.n and call.temperature > 0 and _consecutive(seeds) and self._together:
            return await self._several(call, seeds[0], len(seeds))
        tasks = [asyncio.ensure_future(self._caught(call, seed)) for seed in seeds]
        try:
            found = await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            raise
        if all(isinstance(reply, JudgeError) for reply in found):
            raise cast(JudgeError, found[0])
        return found

    async def read_slot(self, call: Call, labels: tuple[str, ...]) -> SlotReading:
        """The exact distribution of labels behind ``call.prefill``. Raises JudgeError."""
        return await self._exact.read(call, labels)

    @property
    def _together(self) -> bool:
        """Asking for several texts at once changes none of them."""
        return self.probe is None or self.probe.n_seeds or not self.offers.seeds

    async def _caught(self, call: Call, seed: int) -> Reply | JudgeError:
        try:
            return (await self._several(call, seed, 1))[0]
        except JudgeError as error:
            return error

    async def _several(self, call: Call, seed: int, n: int) -> list[Reply | JudgeError]:
        body = encode(build(call, self._dialect, seed=seed, n=n))
        clock = asyncio.get_running_loop().time
        began: float | None = None

        async def attempt() -> list[Reply | JudgeError]:
            nonlocal began
            # In a run that waits for a server to come back, the clock starts again when it is back.
            began = clock() if began is None or is_stoppable() else began
            data = await self._client.post("/chat/completions", body)
            try:
                return replies.read(data, n, began=began)
            except replies.ShapeError as error:
                raise self._client.malformed(str(error), data, "/chat/completions") from None

        found = await self._line.run(attempt, call.timeout_s)
        if isinstance(found[0], JudgeError) and all(isinstance(reply, JudgeError) for reply in found):
            raise found[0]
        return found

    async def _post(self, path: str, body: dict[str, Any], timeout_s: float | None) -> Any:
        data = encode(body)
        return await self._line.run(lambda: self._client.post(path, data), timeout_s)

    async def _ping(self) -> None:
        """The smallest call that the server has answered before."""
        if self.probe is None:
            await self._client.get("/models")
            return
        call = Call(({"role": "user", "content": "Hi"},), max_tokens=1)
        data = await self._client.post("/chat/completions", encode(build(call, self._dialect, seed=0)))
        try:
            replies.read(data, 1)
        except replies.ShapeError as error:
            raise self._client.malformed(str(error), data, "/chat/completions") from None

    async def _served(self) -> Served:
        try:
            listed = await self._line.run(lambda: self._client.get("/models"), 60.0)
        except JudgeError as error:
            # Some gateways have no list; then the name is taken at its word, and the probe shows whether it is right.
            if error.can_retry or not self._wanted or "HTTP 404" not in error.message:
                raise
            return Served(self._wanted)
        return choose(listed, self._wanted, self._client.base_url)

    async def _find_out(self, context_tokens: int | None) -> Probe:
        if not self._ask_server:
            offers = Offers("json_schema", False, 20, True, False, True, True, False)
            found = Probe(self._dialect, offers, context_tokens, n_seeds=True)
        else:
            key = (self._client.base_url, self.model, repr(sorted(self._extra.items())))
            if key not in _probes:
                _probes[key] = await Prober(self._post, self._dialect).run(context_tokens)
            found = _probes[key]
        offers = replace(found.offers, **self._given)
        if self._context_tokens is not None:
            found = replace(found, context_tokens=self._context_tokens)
        dialect = replace(found.dialect, grammar=offers.grammar)
        return replace(found, offers=offers, dialect=dialect)


def _consecutive(seeds: Sequence[int]) -> bool:
    return all(seed == seeds[0] + index for index, seed in enumerate(seeds))
