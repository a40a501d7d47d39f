"""Starting and ending vLLM's engine, which runs in processes of its own.

    >>> core = start_core(settings)                                                          # doctest: +SKIP
    >>> end_core(core)                                                                       # doctest: +SKIP

While vLLM starts, some environment variables are set, unless the user has set them; its processes inherit them.
"""

from __future__ import annotations

import multiprocessing.spawn
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from genrm.engines.vllm_parts.guard import OWNER
from genrm.engines.vllm_parts.imports import QUIET, environment, import_vllm
from genrm.engines.vllm_parts.settings import Settings
from genrm.errors import Fault, SpecError

# A process with threads, such as ours, must not be forked.
SPAWN = {"VLLM_WORKER_MULTIPROC_METHOD": "spawn"}
ON_CPU = {
    "PYTHONWARNINGS": "ignore::FutureWarning:vllm.triton_utils.dispatcher",
    # A helper of vLLM is compiled at the first request with log-probabilities: 12 s, and a C++ compiler is needed.
    "TORCHDYNAMO_DISABLE": "1",
    # The worker runs inside the engine core: one process less, and no thread is bound to the first CPU.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
}

_starting = threading.Lock()


def start_core(settings: Settings) -> Any:
    """A running ``AsyncLLM``. Takes seconds to minutes.

    Raises:
        SpecError: vLLM refuses the model or an argument.
    """
    with _starting, environment(QUIET | SPAWN | {OWNER: str(os.getpid())}):
        import_vllm()
        from vllm.platforms import current_platform

        cpu = bool(current_platform.is_cpu())
        with environment(ON_CPU if cpu else {}), _no_main():
            return _start(settings.vllm_arguments(cpu=cpu), settings.source)


def _start(arguments: dict[str, Any], source: str) -> Any:
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.usage.usage_lib import UsageContext
    from vllm.v1.engine.async_llm import AsyncLLM

    try:
        return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments), usage_context=UsageContext.ENGINE_CONTEXT)
    except Exception as error:  # the boundary to vLLM: it raises anything, from pydantic's errors to RuntimeError
        why = " ".join(str(error).split())
        fix = "check the engine's options; VLLM_LOGGING_LEVEL=INFO shows what vLLM does"
        raise SpecError(Fault(f"vLLM cannot run it: {why}", field="model", value=source, fix=fix)) from error


def end_core(core: Any) -> None:
    """End vLLM's processes; waits for them."""
    handler = core.output_handler
    if handler is not None and not handler.get_loop().is_closed():
        # Else it reports the end of the processes as their death.
        handler.get_loop().call_soon_threadsafe(handler.cancel)
    core.shutdown()
    # It shuts down once more when it is deleted, which may be when Python itself is half gone.
    core.shutdown = _nothing


def _nothing() -> None:
    """Has been done."""


@contextmanager
def _no_main() -> Iterator[None]:
    """Processes that this thread spawns do not run the main module of this one.

    vLLM's processes need nothing from it, and a plain script (``python train.py``) without the customary
    ``if __name__ == "__main__"`` would train a second time in each of them.
    """
    whole, thread = multiprocessing.spawn.get_preparation_data, threading.get_ident()

    def without_main(name: str) -> dict[str, Any]:
        data = whole(name)
        if threading.get_ident() == thread:
            data.pop("init_main_from_name", None)
            data.pop("init_main_from_path", None)
        return data

    multiprocessing.spawn.get_preparation_data = without_main
    try:
        yield
    finally:
        multiprocessing.spawn.get_preparation_data = whole
