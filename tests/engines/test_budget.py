"""A budget is never exceeded: whatever calls cost, however many are in flight, also when they fail or are cancelled."""

from __future__ import annotations

import asyncio
import os
import pickle
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrm.engines.budget import Budget, Purse, charge_to, current_budget
from genrm.errors import RunStoppedError, SpecError


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True, "5"])
def test_it_is_an_amount_of_money(value):
    with pytest.raises(SpecError, match="budget_usd"):
        Budget(value)


def test_what_was_not_needed_comes_back():
    budget = Budget(1.0)

    async def run():
        for _ in range(5):
            async with Purse(budget, 0.5) as purse:
                purse.paid(0.1)

    asyncio.run(run())
    assert budget.spent_usd == pytest.approx(0.5)


def test_a_call_that_is_not_billed_costs_nothing():
    budget = Budget(1.0)

    async def run():
        async with Purse(budget, 0.9):
            assert budget.exposed_usd == pytest.approx(0.9)

    asyncio.run(run())
    assert budget.spent_usd == 0.0


def test_a_call_whose_cost_nobody_knows_counts_in_full_and_needs_new_money():
    budget = Budget(1.0)

    async def run():
        async with Purse(budget, 0.4) as purse:
            purse.paid(None)
            await purse.ready()
            purse.paid(0.1)

    asyncio.run(run())
    assert budget.spent_usd == pytest.approx(0.5)


def test_who_does_not_fit_waits_in_order():
    budget, order = Budget(1.0), []

    async def call(name, usd, cost):
        async with Purse(budget, usd) as purse:
            order.append(name)
            await asyncio.sleep(0.001)
            purse.paid(cost)

    async def run():
        await asyncio.gather(call("a", 0.6, 0.1), call("b", 0.6, 0.1), call("c", 0.1, 0.1), call("d", 0.1, 0.1))

    asyncio.run(run())
    # c and d would fit beside a, but who asks for little must not starve who asks for much.
    assert order == ["a", "b", "c", "d"]
    assert budget.spent_usd == pytest.approx(0.4)


def test_it_ends_when_nothing_is_in_flight_that_could_leave_some_over():
    budget = Budget(1.0)

    async def call(cost):
        async with Purse(budget, 0.6) as purse:
            await asyncio.sleep(0.001)
            purse.paid(cost)

    async def run():
        return await asyncio.gather(*(call(0.45) for _ in range(3)), return_exceptions=True)

    found = asyncio.run(run())
    assert [type(result) for result in found] == [type(None), RunStoppedError, RunStoppedError]
    assert budget.spent_usd == pytest.approx(0.45)
    assert "--budget-usd" in found[1].go_on
    assert "0.55" in str(found[1])


def test_who_waits_when_it_ends_asks_for_nothing_more():
    budget, asked = Budget(1.0), []

    async def call(usd, cost):
        async with Purse(budget, usd) as purse:
            asked.append(usd)
            await asyncio.sleep(0.001)
            purse.paid(cost)

    async def run():
        return await asyncio.gather(call(0.9, 0.8), call(0.5, 0.1), call(0.1, 0.1), return_exceptions=True)

    found = asyncio.run(run())
    assert [type(result) for result in found] == [type(None), RunStoppedError, RunStoppedError]
    # 0.1 would fit, but the run ends, and nobody would see what it bought.
    assert asked == [0.9]
    assert budget.spent_usd == pytest.approx(0.8)


def test_cancelled_while_waiting():
    budget = Budget(1.0)

    async def call():
        async with Purse(budget, 0.7) as purse:
            await asyncio.sleep(0.01)
            purse.paid(0.2)

    async def run():
        first, second, third = (asyncio.create_task(call()) for _ in range(3))
        await asyncio.sleep(0)
        second.cancel()
        return await asyncio.gather(first, second, third, return_exceptions=True)

    found = asyncio.run(run())
    assert [type(result) for result in found] == [type(None), asyncio.CancelledError, type(None)]
    assert budget.spent_usd == pytest.approx(0.4)


CALLS = st.lists(
    st.tuples(st.floats(0.001, 0.3), st.floats(0, 1), st.sampled_from(["pay", "fail", "lose", "cancel"])),
    min_size=1,
    max_size=80,
)


@settings(max_examples=60, deadline=None)
@given(CALLS, st.floats(0.05, 3.0), st.integers(0, 2**16))
def test_never_exceeded(calls, limit, seed):
    budget, chance, seen = Budget(limit), random.Random(seed), []
    budget.watch = seen.append
    spent = 0.0

    async def call(worst, share, how):
        nonlocal spent
        await asyncio.sleep(chance.random() * 0.001)
        async with Purse(budget, worst) as purse:
            await asyncio.sleep(chance.random() * 0.001)
            if how == "pay":
                spent += worst * share
                purse.paid(worst * share)
            elif how == "lose":
                spent += worst
                purse.paid(None)

    async def run():
        tasks = [asyncio.create_task(call(*one)) for one in calls]
        for task, one in zip(tasks, calls, strict=True):
            if one[2] == "cancel":
                asyncio.get_running_loop().call_later(chance.random() * 0.002, task.cancel)
        found = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)
        assert all(isinstance(r, RunStoppedError | asyncio.CancelledError | type(None)) for r in found)

    asyncio.run(run())
    assert spent <= limit
    assert budget.spent_usd == pytest.approx(spent)
    assert budget.exposed_usd == budget.spent_usd
    assert all(amount <= limit for amount in seen)


def test_a_copy_starts_with_what_may_be_gone():
    budget = Budget(1.0)

    async def run():
        async with Purse(budget, 0.3):
            return pickle.loads(pickle.dumps(budget))

    copy = asyncio.run(run())
    assert (copy.limit_usd, copy.spent_usd) == (1.0, pytest.approx(0.3))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_does_not_wait_for_its_parents_calls():
    budget = Budget(1.0)

    async def child():
        async with Purse(budget, 0.8):
            pass

    async def parent():
        async with Purse(budget, 0.5):
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    asyncio._set_running_loop(None)
                    asyncio.new_event_loop().run_until_complete(child())
                except RunStoppedError:
                    code = 42
                finally:
                    os._exit(code)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert asyncio.run(parent()) == 42


def test_it_travels_with_the_context():
    budget = Budget(1.0)

    async def run():
        with charge_to(budget):
            inside = asyncio.create_task(asyncio.sleep(0, None))
            with charge_to(None):
                assert current_budget() is budget
            await inside
        return current_budget()

    assert asyncio.run(run()) is None
