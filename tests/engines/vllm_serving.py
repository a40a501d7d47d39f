"""Starts a real `vllm serve` on loopback for tests; the fixtures around it are in conftest.py.

It runs in the environment of the tests where that has vLLM, else in .venv-vllm, which the Makefile builds. The module
entry point is used because the command `vllm` of the CPU build looks for a distribution of another name.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_SECONDS = 400


@dataclass(frozen=True)
class VllmServer:
    """A running server: ``url`` ends in /v1, ``model`` is the name that it serves, ``log`` what it wrote."""

    url: str
    model: str
    log: Path
    pid: int


def vllm_python() -> str | None:
    """A Python that has vLLM; None where none has."""
    if importlib.util.find_spec("vllm") is not None:
        return sys.executable
    other = ROOT / ".venv-vllm" / "bin" / "python"
    return str(other) if other.exists() else None


@contextmanager
def serving(folder: Path, log: Path, *extra: str) -> Iterator[VllmServer]:
    """A server of the model in a folder; ``extra`` are further arguments of `vllm serve`, the last one wins."""
    python = vllm_python()
    assert python is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = "--dtype float32 --enforce-eager --max-model-len 2048 --max-num-seqs 32 --max-num-batched-tokens 4096"
    settings += " --no-enable-chunked-prefill --block-size 32 --kv-cache-memory-bytes 67108864 --max-logprobs 20"
    # The compiled rotary embedding of the CPU build gives LFM2 wrong positions.
    settings += ' --enable-prompt-tokens-details --compilation-config {"custom_ops":["-rotary_embedding"]}'
    command = [python, "-m", "vllm.entrypoints.launchers.api_server.entry", "--model", str(folder)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", "judge", *settings.split(), *extra]
    surroundings = os.environ | {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "TORCHDYNAMO_DISABLE": "1",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
    }
    with log.open("wb") as file:
        server = subprocess.Popen(command, stdout=file, stderr=file, env=surroundings, start_new_session=True)
    try:
        _wait(server, port, log)
        yield VllmServer(f"http://127.0.0.1:{port}/v1", "judge", log, server.pid)
    finally:
        server.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.wait(60)
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait(60)


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError(f"vLLM did not start:\n{log.read_text(errors='replace')[-4000:]}")
