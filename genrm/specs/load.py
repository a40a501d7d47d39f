"""Reading rubrics: from the library by name, from a file, or from a dict; every fault found comes with its place.

>>> load_rubric("math-verify").protocol
'verify'
>>> load_rubric({"name": "polite", "criteria": [{"id": "tone", "ask": "Is it polite?", "wieght": 2}]})
Traceback (most recent call last):
genrm.errors.SpecError: criteria[0].wieght: unknown key. Fix: write 'weight'
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from genrm.errors import Fault, SpecError
from genrm.resources import rubrics_dir
from genrm.specs.criterion import ID_PATTERN, Criterion, Place, conflicts, shape_problem
from genrm.specs.faults import Path, Source, closest, dotted, faults_of
from genrm.specs.rubric import Rubric
from genrm.specs.scale import Scale
from genrm.specs.yaml_marks import MAX_DEPTH, read_document

SUFFIXES = (".yaml", ".yml", ".json")


def load_rubric(source: str | FilePath | Mapping[str, Any] | Rubric) -> Rubric:
    """A checked rubric.

    Args:
        source: a name from the library (``genrm rubric list`` shows them), the path of a ``.yaml``, ``.yml`` or
            ``.json`` file of at most 1 MB, a mapping with the same content, or a rubric, which is returned as it is.

    Raises:
        SpecError: there is no such rubric, or it is wrong; ``faults`` names all that is wrong, each with file,
            line (for files), field, value and fix.
    """
    if isinstance(source, Rubric):
        return source
    if isinstance(source, Mapping):
        return build_rubric(source, Source())
    if not isinstance(source, (str, FilePath)):
        raise SpecError(
            Fault(
                f"a rubric cannot be read from a {type(source).__name__}",
                fix="give a name of the library, a path, a dict or a Rubric",
            )
        )
    document = read_document(find_rubric(source))
    return build_rubric(document.data, document.source)


def find_rubric(source: str | FilePath) -> FilePath:
    """The file of a rubric that is given by name or path. Raises SpecError when there is none."""
    if isinstance(source, str) and ("\n" in source or len(source) > 1000):
        raise SpecError(Fault("is the text of a rubric, not its name or path", fix="pass yaml.safe_load(text)"))
    path = FilePath(source)
    if any(len(part.encode(errors="replace")) > 255 for part in path.parts):
        raise SpecError(Fault("is longer than any file's name", fix="give a name of the library or a file's path"))
    looks_like_path = isinstance(source, FilePath) or len(path.parts) != 1 or path.suffix.lower() in SUFFIXES
    if not looks_like_path:
        library = library_files()
        if str(source) in library:
            return library[str(source)]
        if not path.is_file():
            guess = closest(str(source), library)
            fix = f"write {guess!r}, or" if guess else f"use one of {', '.join(library)}, or"
            raise SpecError(
                Fault(f"there is no rubric {str(source)!r} in the library", fix=f"{fix} give a file's path")
            )
    if path.is_dir():
        raise SpecError(Fault("is a folder, not a rubric", str(path), fix="give one rubric file in it"))
    if not path.exists():
        near = [item.name for item in path.parent.glob("*") if item.suffix.lower() in SUFFIXES]
        guess = closest(path.name, near) or closest(path.stem, library_files())
        fix = f"did you mean {guess!r}?" if guess else "check the path, or see `genrm rubric list`"
        raise SpecError(Fault("there is no such file", str(path), fix=fix))
    if path.suffix.lower() not in SUFFIXES:
        raise SpecError(
            Fault(f"a rubric file ends in {', '.join(SUFFIXES)}", str(path), fix="rename it, or give another file")
        )
    return path


def library_files() -> dict[str, FilePath]:
    """The rubrics that come with genrm: name and file, in alphabetical order."""
    return {path.stem: path for path in sorted(rubrics_dir().glob("*.yaml"))}


def build_rubric(data: Any, source: Source) -> Rubric:
    """A rubric from plain data. Raises SpecError with every fault."""
    if not isinstance(data, Mapping):
        raise SpecError(_no_mapping(data, source))
    faults: list[Fault] = []
    rubric: Rubric | None = None
    try:
        rubric = Rubric.model_validate(data)
    except ValidationError as error:
        faults = faults_of(error, Rubric, data, source)
    faults += _across(data, (), source)
    if faults or rubric is None:
        raise SpecError(_ordered(faults))
    return rubric


def build_criteria(value: Any) -> tuple[Criterion, ...]:
    """The criteria of one input row: a list of criteria as in a rubric; a plain text is a yes-or-no question.

    Raises:
        SpecError: the list is wrong; fields are given as ``criteria[2].scale``.
    """
    if not isinstance(value, (list, tuple)):
        raise SpecError(Source().fault(("criteria",), "a list of criteria is needed", value=value, fix="write […]"))
    items = [{"id": f"c{n}", "ask": item} if isinstance(item, str) else item for n, item in enumerate(value, 1)]
    return build_rubric({"name": "row", "criteria": items}, Source()).criteria


def hints(rubric: Rubric) -> list[Fault]:
    """What is allowed in a rubric but worth a second look; never an error."""
    found = []
    if not rubric.criteria:
        found.append(
            Fault(
                "has no criteria of its own, so every input row has to bring some",
                field="criteria",
                fix="nothing, if your rows have a field 'criteria'",
            )
        )
    for leaf in rubric.leaves():
        if leaf.is_judged and leaf.scale.kind != "binary" and not any(label.means for label in leaf.scale.labels):
            found.append(
                Fault(
                    f"criterion {leaf.id!r} does not say what its labels mean, so judges will disagree on them",
                    field="scale",
                    fix="add anchors, or means to the labels",
                )
            )
    return found


def _across(data: Mapping[str, Any], around: Path, source: Source) -> Iterator[Fault]:
    """Faults between parts, found in the raw data so that no other fault hides them."""
    places = []
    for path, raw in _raw_criteria(data, around):
        if problem := shape_problem(raw):
            message, fix = problem
            yield source.fault(path, message, fix=fix)
        name = raw.get("id")
        if isinstance(name, str) and re.fullmatch(ID_PATTERN, name):
            asked = raw.get("check") is None or raw.get("cascade") is not None
            judged = asked and raw.get("criteria") is None
            places.append(Place(path, name, _scale(raw) if judged else None))
    for conflict in conflicts(places):
        first, second = (_spot(place.path, conflict.field, source) for place in (conflict.first, conflict.second))
        yield source.fault(
            (*conflict.second.path, conflict.field), f"{conflict.problem}: {first} and {second}", fix=conflict.fix
        )


def _raw_criteria(data: Mapping[str, Any], around: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    items = data.get("criteria")
    # A dict from Python may contain itself; validation has named that fault already.
    if not isinstance(items, (list, tuple)) or len(around) > MAX_DEPTH:
        return
    for number, item in enumerate(items):
        if isinstance(item, Mapping):
            path = (*around, "criteria", number)
            yield path, item
            yield from _raw_criteria(item, path)


def _scale(raw: Mapping[str, Any]) -> Scale | None:
    """The scale of a raw criterion; None when it is wrong, which validation reports."""
    try:
        return Scale.parse(raw["scale"]) if "scale" in raw else Scale.binary()
    except ValueError:
        return None


def _spot(path: Path, field: str, source: Source) -> str:
    line = source.line((*path, field))
    return f"line {line}" if line is not None else dotted(path)


def _no_mapping(data: Any, source: Source) -> Fault:
    if data is None:
        return Fault("is empty", source.file, 1 if source.file else None, fix="begin with name: and criteria:")
    return Fault(
        "a rubric is a mapping of keys to values",
        source.file,
        source.line(()),
        value=f"a {type(data).__name__}",
        fix="begin with name: and criteria:",
    )


def _ordered(faults: list[Fault]) -> list[Fault]:
    """In the order of the file; the sort is stable, so a dict keeps the order of discovery."""
    return sorted(faults, key=lambda fault: fault.line or 0)
