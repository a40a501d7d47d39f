"""Reading verdict formats: by name from ``prompts/formats/``, from a file, or from a dict; faults say where.

>>> load_format("arena-hard").protocol
'pairwise'
>>> load_format({"name": "mine", "verdict": {"regx": "[A-C]"}})
Traceback (most recent call last):
genrm.errors.SpecError: verdict.regx: unknown key. Fix: write 'regex'
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from genrm.errors import Fault, SpecError
from genrm.resources import formats_dir
from genrm.specs.faults import Source, closest, faults_of
from genrm.specs.verdict_format import VerdictFormat
from genrm.specs.yaml_marks import read_document

SUFFIXES = (".yaml", ".yml", ".json")


def load_format(source: str | Path | Mapping[str, Any] | VerdictFormat) -> VerdictFormat:
    """A checked verdict format.

    Args:
        source: a name (``genrm formats list`` shows them), the path of a file, a mapping with the same content, or a
            format, which is returned as it is.

    Raises:
        SpecError: there is no such format, or it is wrong; ``faults`` names all that is wrong.
    """
    if isinstance(source, VerdictFormat):
        return source
    if isinstance(source, Mapping):
        return build_format(source, Source())
    document = read_document(find_format(source))
    return build_format(document.data, document.source)


def build_format(data: Any, source: Source) -> VerdictFormat:
    """A format from plain data. Raises SpecError with every fault."""
    if not isinstance(data, Mapping):
        fix = "begin with name: and verdict:"
        raise SpecError(Fault("a verdict format is a mapping of keys to values", source.file, source.line(()), fix=fix))
    try:
        return VerdictFormat.model_validate(data)
    except ValidationError as error:
        faults = faults_of(error, VerdictFormat, data, source)
        raise SpecError(sorted(faults, key=lambda fault: fault.line or 0)) from None


def find_format(source: str | Path) -> Path:
    """The file of a format that is given by name or path. Raises SpecError when there is none."""
    path = Path(source)
    known = format_files()
    if isinstance(source, str) and source in known:
        return known[source]
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            fix = "rename it, or give another file"
            raise SpecError(Fault(f"a format file ends in {', '.join(SUFFIXES)}", str(path), fix=fix))
        return path
    guess = closest(str(source), known)
    fix = f"write {guess!r}, or" if guess else f"use one of {', '.join(known)}, or"
    raise SpecError(
        Fault("there is no such verdict format", field="format", value=str(source), fix=f"{fix} give a file's path")
    )


def format_files() -> dict[str, Path]:
    """The formats that come with genrm: name and file, in alphabetical order."""
    return {path.stem: path for path in sorted(formats_dir().glob("*.yaml"))}
