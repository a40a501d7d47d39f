"""The machine: Python, platform, cores, memory, GPUs, and the environment variables that engines listen to.

>>> machine().cores >= 1
True
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SMI_S = 10.0
"""Seconds for nvidia-smi; a driver that has lost its GPU lets it hang."""

SHOWN = (
    "CUDA_VISIBLE_DEVICES",
    "HF_HOME",
    "HF_HUB_OFFLINE",
    "LITELLM_LOCAL_MODEL_COST_MAP",
    "OMP_NUM_THREADS",
    "TORCHDYNAMO_DISABLE",
    "TRANSFORMERS_OFFLINE",
    "VLLM_CPU_KVCACHE_SPACE",
    "VLLM_ENABLE_V1_MULTIPROCESSING",
    "VLLM_TARGET_DEVICE",
)
"""Environment variables whose value is shown."""

HIDDEN = (
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "HF_TOKEN",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "OPENAI_API_BASE",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENROUTER_API_KEY",
)
"""Environment variables of which is only said whether they are set: keys, and addresses that may hold a password."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA GPU; memory in MiB."""

    name: str
    driver: str
    memory: int
    free: int


@dataclass(frozen=True, slots=True)
class Machine:
    """Where this runs.

    Attributes:
        cores: that this process may use.
        memory: bytes that this process may use: of the machine, or of the container that it is in; None if unknown.
        free: of these, not in use now.
        gpus: as nvidia-smi shows them.
        gpu_note: why there are none.
    """

    python: str
    executable: str
    platform: str
    cores: int
    memory: int | None
    free: int | None
    gpus: tuple[Gpu, ...]
    gpu_note: str | None


def machine() -> Machine:
    """This machine."""
    memory, free = _memory()
    gpus, note = _gpus()
    return Machine(
        f"{platform.python_implementation()} {platform.python_version()}",
        sys.executable,
        platform.platform(),
        _cores(),
        memory,
        free,
        gpus,
        note,
    )


def environment() -> dict[str, str | None]:
    """The variables that matter: their value, "set" where that is nobody's business, None where they are not set."""
    found: dict[str, str | None] = {name: os.environ.get(name) for name in SHOWN}
    for name in HIDDEN:
        # Proxies are written either way.
        there = os.environ.get(name) or (name.endswith("_PROXY") and os.environ.get(name.lower()))
        found[name] = "set" if there else None
    return dict(sorted(found.items()))


def _cores() -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        usable = min(usable, max(1, round(int(quota) / int(period))))
    return usable


def _memory() -> tuple[int | None, int | None]:
    known: dict[str, int] = {}
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            name, _, rest = line.partition(":")
            known[name] = int(rest.split()[0]) * 1024
    total, free = known.get("MemTotal"), known.get("MemAvailable")
    with contextlib.suppress(OSError, ValueError):
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        if total is None or limit < total:
            total, free = limit, min(free or limit, limit - used)
    if total is None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return total, free


def _gpus() -> tuple[tuple[Gpu, ...], str | None]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return (), "no NVIDIA GPU: there is no nvidia-smi"
    query = "--query-gpu=name,driver_version,memory.total,memory.free"
    try:
        asked = subprocess.run(
            [program, query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=SMI_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return (), f"nvidia-smi does not answer: {type(error).__name__}"
    gpus = []
    for line in asked.stdout.splitlines():
        with contextlib.suppress(ValueError):
            name, driver, memory, free = (part.strip() for part in line.split(","))
            gpus.append(Gpu(name, driver, int(memory), int(free)))
    if gpus:
        return tuple(gpus), None
    said = (asked.stdout + asked.stderr).strip().splitlines()
    return (), f"nvidia-smi shows no GPU: {said[0] if said else f'exit code {asked.returncode}'}"
