"""What genrm does inside vLLM's own processes: they keep going at Ctrl-C, and never outlive genrm.

vLLM runs :func:`install` in each of its processes, since genrm registers it as a plugin (``vllm.general_plugins`` in
``pyproject.toml``). In any vLLM that genrm did not start it does nothing.

A terminal sends Ctrl-C to every process of a command. vLLM's would end at once, and the judgments in flight would
fail instead of being called off; so they leave it to genrm, which ends them by SIGTERM. And a genrm that is killed
cannot end anything: without a guard, its orphans would hold on to the memory of a GPU until somebody found them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time

OWNER = "GENRM_VLLM_OWNER"
"""Environment variable with the process that started vLLM."""
EVERY_S = 0.5
GRACE_S = 5.0


def install() -> None:
    """Guard this process, if genrm started it."""
    owner = os.environ.get(OWNER, "")
    if not owner.isdigit() or int(owner) == os.getpid():
        return
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        threading.Thread(target=_watch, args=(parent.pid,), name="genrm-guard", daemon=True).start()


def _watch(parent: int) -> None:
    """End this process once its parent is gone; a worker's parent is the engine core, which is guarded itself.

    The parent is asked for, not waited for: a pipe to it stays open as long as any other child has inherited it.
    """
    while os.getppid() == parent:
        time.sleep(EVERY_S)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os.kill(os.getpid(), signal.SIGKILL)
