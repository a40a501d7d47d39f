"""Where the library of rubrics and the prompt templates lie: in the installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def prompts_dir() -> Path:
    """The folder of prompt templates."""
    return _folder("prompts")


def formats_dir() -> Path:
    """The folder of verdict formats of released judges."""
    return prompts_dir() / "formats"


def rubrics_dir() -> Path:
    """The folder of the rubrics that come with genrm."""
    return _folder("rubrics")


def tiny_dir(variant: str = "default") -> Path:
    """The folder of an embedded judge's weights: ``default`` or ``unhardened``."""
    return _PACKAGE / "tiny" / "weights" / variant
