"""Limits, pauses, attempts and the circuit, without a network."""

import asyncio
import random
from contextlib import nullcontext

import pytest

from genrm.engines.wire import retry
from genrm.engines.wire.circuit import Circuit, stoppable
from genrm.engines.wire.faults import AttemptError
from genrm.engines.wire.limits import Limiter
from genrm.engines.wire.retry import Backoff, Line
from genrm.errors import ContextOverflowError, DeadlineError, EngineError, RateLimitedError, RunStoppedError

QUICK = Backoff(tries=4, base_s=0.001, cap_s=0.002)


def busy(after=None):
    return AttemptError(RateLimitedError("busy"), retry=True, server=True, overload=True, retry_after_s=after)


def broken():
    return AttemptError(EngineError("broken"), retry=True, server=True)


def own_fault():
    return AttemptError(ContextOverflowError("too long"), retry=False, server=False)


class Server:
    """Answers attempts and pings from lists; the last entry goes on for ever."""

    def __init__(self, *answers, pings=("pong",)):
        self.answers, self.pings = list(answers), list(pings)
        self.attempts = self.pinged = 0

    async def attempt(self):
        self.attempts += 1
        return self._next(self.answers)

    async def ping(self):
        self.pinged += 1
        return self._next(self.pings)

    def _next(self, items):
        item = items.pop(0) if len(items) > 1 else items[0]
        if isinstance(item, Exception):
            raise item
        return item

    def line(self, *, backoff=QUICK, limiter=None, attempt_s=None, **circuit):
        settings = {"name": "server", "patience_s": 60.0, "min_calls": 2, "min_seconds": 0.0, "first_pause_s": 0.001}
        return Line(limiter or Limiter(), Circuit(self.ping, **(settings | circuit)), backoff, attempt_s=attempt_s)


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


def test_with_a_queue_the_limit_doubles_a_round_and_after_overload_adds_one():
    async def keep_full(limiter, calls, overloaded=False):
        async def one():
            async with limiter.turn() as turn:
                await asyncio.sleep(0)
                turn.overloaded = overloaded

        await asyncio.gather(*(one() for _ in range(calls)))
        return limiter.limit

    async def watch():
        limiter = Limiter(start=4, most=64)
        grown = await keep_full(limiter, 28)  # rounds of 4, 8 and 16
        most = await keep_full(limiter, 1000)
        cut = await keep_full(limiter, 64, overloaded=True)
        later = await keep_full(limiter, cut + cut + 1)
        return grown, most, cut, later

    grown, most, cut, later = run(watch())
    assert 16 <= grown <= 32
    assert (most, cut) == (64, 32)
    assert 33 <= later <= 35


def test_without_need_the_limit_does_not_grow():
    async def watch():
        limiter = Limiter(start=4)
        for _ in range(100):
            async with limiter.turn() as turn:
                turn.overloaded = False
        return limiter.limit

    assert run(watch()) == 4


def test_calls_that_were_in_flight_together_cut_once_and_never_below_the_least():
    async def watch():
        limiter = Limiter(least=3, start=32)
        turns = [await limiter.acquire() for _ in range(32)]
        for turn in turns:
            turn.overloaded = True
            limiter.release(turn)
        once = limiter.limit
        for _ in range(30):
            turn = await limiter.acquire()
            turn.overloaded = True
            limiter.release(turn)
        return once, limiter.limit

    assert run(watch()) == (16, 3)


def test_turns_come_in_order_and_second_tries_go_first():
    async def watch():
        limiter, order = Limiter(start=1, most=1), []

        async def take(name, first=False):
            turn = await limiter.acquire(first=first)
            order.append(name)
            limiter.release(turn)

        held = await limiter.acquire()
        tasks = [asyncio.create_task(take(name)) for name in "abc"]
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(take("again", first=True)))
        await asyncio.sleep(0)
        limiter.release(held)
        await asyncio.gather(*tasks)
        return order

    assert run(watch()) == ["again", "a", "b", "c"]


def test_a_cancelled_call_gives_its_turn_to_the_next():
    async def watch():
        limiter = Limiter(start=1, most=1)
        held = await limiter.acquire()
        first, second = (asyncio.create_task(limiter.acquire()) for _ in range(2))
        await asyncio.sleep(0)
        limiter.release(held)  # the turn is on its way to the first
        first.cancel()
        turn = await second
        limiter.release(turn)
        return limiter.in_flight, limiter.waiting

    assert run(watch()) == (0, 0)


@pytest.mark.parametrize("bounds", [{"least": 0}, {"least": 5, "most": 4}])
def test_bounds_that_are_none_are_refused(bounds):
    with pytest.raises(ValueError, match="least"):
        Limiter(**bounds)


def test_pauses_are_spread_evenly_below_a_bound_that_doubles_up_to_a_cap():
    backoff = Backoff(tries=20, base_s=1.0, cap_s=5.0, random=random.Random(0))
    for failures, bound in ((1, 1.0), (2, 2.0), (3, 4.0), (4, 5.0), (12, 5.0)):
        drawn = [backoff.pause(failures) for _ in range(2000)]
        assert 0 <= min(drawn) < 0.02 * bound
        assert 0.98 * bound < max(drawn) <= bound
        assert sum(drawn) / len(drawn) == pytest.approx(bound / 2, rel=0.1)
    assert backoff.pause(20) is None


def test_what_the_server_asks_for_is_granted_within_reason():
    backoff = Backoff(tries=5, longest_wait_s=60.0)
    assert 7.0 <= backoff.pause(1, 7.0) <= 8.0
    assert backoff.pause(1, 61.0) is None
    assert len({backoff.pause(1, 7.0) for _ in range(20)}) > 10


def test_passing_faults_are_tried_again_and_others_are_not():
    server = Server(busy(), broken(), "answer")
    assert run(server.line().run(server.attempt, 60)) == "answer"
    assert server.attempts == 3
    server = Server(own_fault())
    with pytest.raises(ContextOverflowError):
        run(server.line().run(server.attempt, 60))
    assert server.attempts == 1


def test_attempts_end_with_the_last_error():
    server = Server(broken())
    with pytest.raises(EngineError, match="broken"):
        run(server.line(min_calls=99).run(server.attempt, 60))
    assert server.attempts == QUICK.tries


def test_no_pause_goes_beyond_the_deadline():
    server = Server(busy(after=50.0))
    with pytest.raises(RateLimitedError):
        run(server.line().run(server.attempt, 5))
    assert server.attempts == 1


def test_a_hang_ends_at_the_deadline_and_an_attempt_of_its_own_is_made_again():
    class Hanging(Server):
        async def attempt(self):
            self.attempts += 1
            if self.attempts <= self.hangs:
                await asyncio.sleep(3600)
            return "answer"

    server = Hanging("")
    server.hangs = 1
    with pytest.raises(DeadlineError, match=r"0\.05"):
        run(server.line().run(server.attempt, 0.05))
    server = Hanging("")
    server.hangs = 2
    assert run(server.line(attempt_s=0.05).run(server.attempt, 60)) == "answer"
    assert server.attempts == 3


def test_what_the_limit_is_cut_to_is_logged(caplog):
    async def overload():
        limiter = Limiter(start=16)
        turns = [await limiter.acquire() for _ in range(16)]
        for turn in turns:
            turn.overloaded = True
            limiter.release(turn)

    with caplog.at_level("DEBUG", logger="genrm"):
        run(overload())
    assert [record.getMessage() for record in caplog.records] == ["overloaded: at most 8 calls in flight, not 16"]


def test_a_connection_that_hangs_leaves_time_for_another_one(monkeypatch):
    class Hanging(Server):
        async def attempt(self):
            self.attempts += 1
            if self.attempts == 1:
                await asyncio.sleep(3600)
            return "answer"

    monkeypatch.setattr(retry, "LEAST_ATTEMPT_S", 0.01)
    server = Hanging("")
    assert run(server.line().run(server.attempt, 10)) == "answer"
    assert server.attempts == 2
    # The last attempt has all the time there is.
    server = Hanging("")
    with pytest.raises(DeadlineError, match=r"within 0\.2 s"):
        run(server.line(backoff=Backoff(tries=1)).run(server.attempt, 0.2))


def test_a_short_deadline_is_left_to_one_slow_answer():
    line = Server("").line()
    assert line._limit(60, 0) == 60
    assert line._limit(600, 0) == 300
    assert line._limit(None, 0) is None
    assert Server("").line(attempt_s=5)._limit(600, 3) == 5


@pytest.mark.parametrize("run_goes_on", [False, True])
def test_a_turn_that_does_not_come_back_in_time_ends_the_call(run_goes_on):
    async def watch():
        server = Server(broken())
        limiter = Limiter(start=1, most=1)
        line = server.line(limiter=limiter, min_calls=100)

        async def attempt():
            # Somebody else takes the only turn and keeps it.
            held.append(asyncio.create_task(limiter.acquire(first=True)))
            await asyncio.sleep(0)
            return await server.attempt()

        held = []
        with stoppable() if run_goes_on else nullcontext():
            await line.run(attempt, 0.3)

    with pytest.raises(EngineError, match="broken"):
        run(watch())


def test_waiting_for_a_turn_costs_nothing_of_the_deadline():
    async def watch():
        server = Server("answer")
        limiter = Limiter(start=1, most=1)
        line = server.line(limiter=limiter)
        held = await limiter.acquire()
        call = asyncio.create_task(line.run(server.attempt, 0.2))
        await asyncio.sleep(0.5)
        limiter.release(held)
        return await call

    assert run(watch()) == "answer"


def test_overload_halves_the_limit_and_other_faults_do_not():
    for fault, limit in ((busy(), 16), (broken(), 32)):
        server = Server(fault, fault, fault, "answer")
        line = server.line(limiter=Limiter(start=32))

        async def full(line=line, server=server):
            turns = [await line.limiter.acquire() for _ in range(31)]
            call = asyncio.create_task(line.run(server.attempt, 60))
            for turn in turns[:16]:
                line.limiter.release(turn)
            await call
            return line.limiter.limit

        assert run(full()) == limit


def test_a_stray_overload_does_not_shrink_the_limit():
    async def watch():
        limiter = Limiter(start=32)
        for index in range(1000):
            async with limiter.turn() as turn:
                turn.overloaded = index % 50 == 0
        return limiter.limit

    assert run(watch()) == 32


async def many(line, server, count, timeout_s=60.0, *, stop=False):
    async def one():
        with stoppable() if stop else nullcontext():
            try:
                return await line.run(server.attempt, timeout_s)
            except Exception as error:
                return error

    return await asyncio.gather(*(one() for _ in range(count)))


def test_the_circuit_opens_says_so_once_and_closes(caplog):
    class Mended(Server):
        async def ping(self):
            answer = await super().ping()
            self.answers = ["answer"]
            return answer

    server = Mended(broken(), pings=(*[broken()] * 4, "pong"))
    found = run(many(server.line(), server, 3, stop=True))
    assert found == ["answer"] * 3
    said = [record.message for record in caplog.records]
    assert len(said) == 2
    assert "fails every call" in said[0]
    assert "broken" in said[0]
    assert "answers again" in said[1]


def test_while_it_is_open_only_pings_go_out():
    async def watch():
        server = Server(broken(), pings=(broken(),))
        line = server.line(patience_s=0.3)
        await many(line, server, 4, stop=True)
        before = server.attempts
        await many(line, server, 50, stop=True)
        return before, server

    before, server = run(watch())
    assert server.attempts == before
    assert server.pinged >= 2


def test_a_run_that_can_be_resumed_is_ended_and_no_row_fails():
    server = Server(broken(), pings=(broken(),))
    found = run(many(server.line(patience_s=0.2), server, 20, stop=True))
    assert {type(error) for error in found} == {RunStoppedError}
    assert "server" in str(found[0])
    assert "broken" in str(found[0])


def test_anyone_else_gets_the_error_within_the_deadline():
    server = Server(broken(), pings=(broken(),))
    found = run(many(server.line(patience_s=3600.0), server, 20, 0.3))
    assert {type(error) for error in found} == {EngineError}
    assert all(error.can_retry for error in found)


def test_when_patience_is_over_errors_come_at_once_until_the_server_is_back():
    async def watch():
        server = Server(broken(), pings=(broken(),))
        line = server.line(patience_s=0.1)
        await many(line, server, 8, 0.3)
        assert line.circuit.is_open
        await asyncio.sleep(0.1)
        attempts = server.attempts
        late = await many(line, server, 200, None)
        assert {type(error) for error in late} == {EngineError}
        assert server.attempts == attempts
        server.answers, server.pings = ["answer"], ["pong"]
        while line.circuit.is_open:
            await many(line, server, 1, None)
            await asyncio.sleep(0.01)
        return await many(line, server, 3)

    assert run(watch()) == ["answer"] * 3


def test_rows_that_break_a_healthy_server_fail_and_do_not_end_the_run():
    server = Server(broken(), pings=("pong",))
    found = run(many(server.line(), server, 20, stop=True))
    assert {type(error) for error in found} == {EngineError}
    assert server.pinged >= 1


def test_a_refused_key_ends_the_run_without_waiting():
    refused = AttemptError(EngineError("no such key", retryable=False), retry=False, server=True)
    server = Server(refused, pings=(refused,))
    found = run(many(server.line(patience_s=3600.0), server, 20, stop=True))
    assert {type(error) for error in found} == {RunStoppedError}


def test_a_server_that_hangs_fails_no_row_of_a_run():
    class Hanging(Server):
        async def attempt(self):
            self.attempts += 1
            await asyncio.sleep(3600)

        ping = attempt

    server = Hanging("")
    line = server.line(patience_s=0.3, min_calls=99, ping_timeout_s=0.1)
    found = run(many(line, server, 10, 0.1, stop=True))
    assert {type(error) for error in found} == {RunStoppedError}


def test_a_run_that_waited_for_its_server_begins_anew():
    """Deadline and attempts of before are forgotten: the call was not at fault."""
    server = Server(
        *[broken()] * QUICK.tries, *[broken()] * (QUICK.tries - 1), "answer", pings=(*[broken()] * 3, "pong")
    )
    line = server.line(min_calls=99)
    assert run(many(line, server, 1, 60.0, stop=True)) == ["answer"]
    assert server.attempts == 2 * QUICK.tries


def test_a_cancelled_call_hands_its_turn_back():
    async def watch():
        server = Server("answer")
        line = server.line(limiter=Limiter(start=1, most=1))

        async def hang():
            await asyncio.sleep(3600)

        call = asyncio.create_task(line.run(hang, None))
        await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.wait([call])
        return await line.run(server.attempt, 60), line.limiter.in_flight

    assert run(watch()) == ("answer", 0)
