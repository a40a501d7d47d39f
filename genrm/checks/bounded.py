"""Runs jobs that may never end in processes that can be killed.

    >>> call("genrm.checks.jobs_math", {"response": "4", "references": ["4"], "precision": 6}, seconds=5,
    ...      purpose="comparing")["equal"]
    True

A job is a module with a function ``run(payload)``; payload and result are plain JSON data. Each module gets up to
``MAX_PROCESSES`` processes, started when they are first needed and kept. Threads, event loops in threads and
forked processes may all call; nothing is inherited through a fork, and no signal is used in this process.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from typing import Any

from genrm.errors import DeadlineError, EngineError

MAX_PROCESSES = min(4, os.cpu_count() or 1)
START_SECONDS = 120.0


class Worker:
    """One process that runs the jobs of one module, one at a time."""

    def __init__(self, module: str) -> None:
        # The child finds what this process finds; -P keeps a json.py in the current folder from shadowing ours.
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "genrm.checks.worker", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )
        if self._exchange(None, START_SECONDS) is None:
            self.close()
            raise EngineError(f"the process for {module} did not start; try `{sys.executable} -m {module}`")

    def run(self, payload: Any, seconds: float) -> Any:
        """The job's result as ``{"result": …}`` or ``{"error": …}``; None when the process was killed or died."""
        return self._exchange(json.dumps([seconds, payload]).encode() + b"\n", seconds)

    def _exchange(self, line: bytes | None, seconds: float) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.killed = threading.Event()
        # Killing closes the pipes, which ends a blocked read or write at once on every platform.
        timer = threading.Timer(seconds, self._expire)
        timer.daemon = True
        timer.start()
        try:
            if line is not None:
                self._process.stdin.write(line)
                self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except OSError:
            answer = b""
        finally:
            timer.cancel()
            # A timer that has begun to fire finishes first, so nobody inherits a process about to be killed.
            timer.join()
        return json.loads(answer) if answer.endswith(b"\n") and not self.killed.is_set() else None

    def _expire(self) -> None:
        self.killed.set()
        self._process.kill()

    @property
    def alive(self) -> bool:
        """False once the process has ended, for whatever reason."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:
                continue
        self._process.wait()


class Pool:
    """The processes of one module."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._idle: list[Worker] = []
        self._slots = threading.BoundedSemaphore(MAX_PROCESSES)

    def call(self, payload: Any, seconds: float, purpose: str) -> Any:
        """See :func:`call`."""
        with self._slots:
            worker = self._take()
            answer = None
            try:
                answer = worker.run(payload, seconds)
            finally:
                if answer is None:
                    worker.close()
                else:
                    self._idle.append(worker)
        if answer is None:
            if worker.killed.is_set():
                raise DeadlineError(f"{purpose} took longer than {seconds:g} s and was stopped", retryable=False)
            raise EngineError(f"{purpose} ended its process (out of memory?)", retryable=False)
        if "error" in answer:
            raise EngineError(f"{purpose} failed: {answer['error']}", retryable=False)
        return answer["result"]

    def _take(self) -> Worker:
        while True:
            try:
                worker = self._idle.pop()
            except IndexError:
                return Worker(self._module)
            if worker.alive:
                return worker
            worker.close()

    def close(self) -> None:
        """End the processes that wait for work."""
        while True:
            try:
                worker = self._idle.pop()
            except IndexError:
                return
            worker.close()


_pools: dict[str, Pool] = {}
_lock = threading.Lock()


def call(module: str, payload: Any, *, seconds: float, purpose: str) -> Any:
    """The result of ``module.run(payload)``.

    Args:
        module: dotted name; imported in the other process only.
        payload: plain JSON data.
        seconds: the deadline, without the time that starting a process takes.
        purpose: what is done, for messages: "comparing with math-verify".

    Raises:
        DeadlineError: no result in time.
        EngineError: the job raised, or its process died or did not start.
    """
    with _lock:
        pool = _pools.setdefault(module, Pool(module))
    return pool.call(payload, seconds, purpose)


def shut_down() -> None:
    """End every idle process; later calls start new ones. Runs by itself when Python exits."""
    with _lock:
        pools = list(_pools.values())
        _pools.clear()
    for pool in pools:
        pool.close()


def _forget() -> None:
    """In a forked child: the processes belong to the parent, and its locks may be held for ever."""
    global _pools, _lock
    _inherited.append(_pools)
    _pools, _lock = {}, threading.Lock()


# Keeps the parent's process objects alive in the child, so that no destructor touches the shared pipes.
_inherited: list[dict[str, Pool]] = []

atexit.register(shut_down)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
