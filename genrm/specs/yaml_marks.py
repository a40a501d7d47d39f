"""Safe, bounded reading of YAML and JSON that remembers the line of every value.

    >>> document = parse_yaml("name: polite\\ncriteria:\\n- id: tone\\n", "polite.yaml")
    >>> document.data["criteria"], document.source.line(("criteria", 0, "id"))
    ([{'id': 'tone'}], 3)

Plain values follow YAML 1.2: only ``true`` and ``false`` are booleans, so a label may be called ``yes`` or ``no``
without quotes, ``1e-3`` is a number, and a date is a text. Tags make no objects. Size, depth and the number of
values after aliases are bounded, so no file can exhaust memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import yaml

from genrm.errors import Fault, SpecError
from genrm.specs.faults import Path, Source, dotted, shown

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
MAX_VALUES = 100_000

_PLAIN: tuple[tuple[str, str, str], ...] = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", "~nN"),
)

_FLOW_FIX = "close it, and put quotes around texts with a question mark or a comma"

# What PyYAML says, and the same in words that name the usual cause.
_YAML_PROBLEMS: tuple[tuple[str, str, str], ...] = (
    ("mapping values are not allowed", "a colon stands where no key can begin", "put quotes around a text with ': '"),
    ("could not find expected ':'", "a key has no colon after it", "write key: value"),
    ("expected <block end>", "the indentation fits nothing above", "align the line with its neighbours"),
    ("found unexpected end of stream", "a quote is never closed", "close the quote"),
    ("expected ',' or ']'", "a list in brackets is not closed or lacks a comma", _FLOW_FIX),
    ("expected ',' or '}'", "a mapping in braces is not closed or lacks a comma", _FLOW_FIX),
    ("cannot start any token", "a character stands here that begins nothing in YAML", "put quotes around the text"),
    ("found undefined alias", "an alias names an anchor that is not there", "write the value out"),
    ("expected alphabetic or numeric", "a * or & stands alone", "put quotes around the text"),
    ("unknown escape character", "a backslash escape in double quotes is unknown", "use single quotes"),
    ("but found another document", "a second document begins after ---", "keep one rubric a file"),
)


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and where."""

    data: Any
    source: Source


class _Loader(yaml.SafeLoader):
    """Composes nodes only; resolves plain scalars as YAML 1.2 does and stops at a depth."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, "nested too deeply", self.get_mark())
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Dumper(yaml.SafeDumper):
    """Quotes every text that either YAML 1.1 or the reader above would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        # Line breaks other than \n are folded in every style but that of double quotes, which escapes them.
        style = '"' if re.search("[\x85\u2028\u2029\r]", data) else "|" if "\n" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)
_Loader.yaml_implicit_resolvers = {}
_Dumper.yaml_implicit_resolvers = {key: list(value) for key, value in yaml.SafeDumper.yaml_implicit_resolvers.items()}
for _tag, _pattern, _first in _PLAIN:
    for _class in (_Loader, _Dumper):
        _chars = [*_first, ""] if _tag == "null" else list(_first)
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _chars)


def read_document(path: FilePath) -> Document:
    """A ``.yaml``, ``.yml`` or ``.json`` file as data with lines.

    Raises:
        SpecError: it cannot be read, is too large, is no UTF-8 text, or breaks the syntax.
    """
    text = read_text(path)
    return parse_json(text, str(path)) if path.suffix.lower() == ".json" else parse_yaml(text, str(path))


def parse_yaml(text: str, file: str | None = None) -> Document:
    """YAML text as data with lines. Raises SpecError with every duplicate key, tag and other fault of form."""
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise SpecError(_syntax_fault(error, text, file)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SpecError(
            Fault("a control character stands here", file, line, fix="remove it; a rubric is plain text")
        ) from None
    if root is None:
        return Document(None, Source(file))
    builder = _Builder(file)
    data = builder.value(root, (), 0)
    if builder.faults:
        raise SpecError(builder.faults)
    return Document(data, Source(file, builder.lines))


def parse_json(text: str, file: str | None = None) -> Document:
    """JSON text as data with lines. Raises SpecError on broken syntax and duplicate keys."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        fault = Fault(
            f"this is not JSON: {error.msg}, column {error.colno}", file, error.lineno, fix="correct the syntax"
        )
        raise SpecError(fault) from None
    except ValueError:
        raise SpecError(Fault("a number has thousands of digits", file, fix="write a shorter one")) from None
    except RecursionError:
        raise SpecError(Fault("nested too deeply", file, fix=f"use at most {MAX_DEPTH} levels")) from None
    # Every JSON text is YAML once its blanks are no tabs, and the YAML reader knows the lines.
    return Document(data, parse_yaml(text.replace("\t", " "), file).source)


def dump_yaml(data: Any) -> str:
    """Plain data as YAML that :func:`parse_yaml` reads back unchanged; keys keep their order."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Builder:
    """Plain data out of composed nodes, with the line of every path and every fault of form."""

    def __init__(self, file: str | None) -> None:
        self.file = file
        self.lines: dict[Path, int] = {}
        self.faults: list[Fault] = []
        self.values = 0

    def value(self, node: yaml.Node, path: Path, depth: int) -> Any:
        self.values += 1
        self.lines.setdefault(path, node.start_mark.line + 1)
        if depth > MAX_DEPTH or self.values > MAX_VALUES:
            limit = f"{MAX_DEPTH} levels" if depth > MAX_DEPTH else f"{MAX_VALUES} values"
            fault = Fault(f"aliases make more than {limit}", self.file, self.lines[path], fix="write the values out")
            raise SpecError(fault)
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(node, path, depth))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, n), depth + 1) for n, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _pairs(self, node: yaml.MappingNode, path: Path, depth: int) -> Iterator[tuple[Any, Any]]:
        first: dict[Any, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._add("a key is a text or a number", line, path, "write key: value")
                continue
            key = self._scalar(key_node, path)
            step = (*path, key if isinstance(key, (str, int)) and not isinstance(key, bool) else key_node.value)
            if key in first:
                message = f"the key {shown(key)} stands twice here, on lines {first[key]} and {line}"
                self._add(message, line, step, "keep one of them")
                continue
            first[key] = line
            self.lines[step] = line
            yield key, self.value(value_node, step, depth + 1)

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        text, tag = node.value, node.tag.rpartition(":")[2]
        try:
            match tag:
                case "str":
                    return text
                case "null":
                    return None
                case "bool":
                    return text.lower() == "true"
                case "int":
                    return int(text)
                case "float":
                    return float(re.sub(r"\.(inf|nan)$", r"\1", text.lower()))
        except ValueError:
            self._add(
                f"a value of the kind {tag} is needed", node.start_mark.line + 1, path, "write it in plain digits"
            )
            return None
        self._add(f"the tag {node.tag!r} is not read", node.start_mark.line + 1, path, "remove the tag")
        return None

    def _add(self, message: str, line: int, path: Path, fix: str) -> None:
        self.faults.append(Fault(message, self.file, line, dotted(path) or None, fix=fix))


def read_text(path: FilePath) -> str:
    """The text of a file of at most :data:`MAX_BYTES`, without a byte order mark. Raises SpecError."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise SpecError(Fault(f"cannot be read: {reason}", file, fix="give the path of a rubric file")) from None
    if len(raw) > MAX_BYTES:
        size = path.stat().st_size / 1e6
        raise SpecError(
            Fault(
                f"is {size:.1f} MB large; a rubric has at most {MAX_BYTES / 1e6:g} MB",
                file,
                fix="was this meant to be a data file? Give it to `genrm judge` as input, or to `genrm rubric import`",
            )
        )
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SpecError(Fault("is UTF-16 text", file, 1, fix="save the file as UTF-8"))
    if (zero := raw.find(b"\0")) >= 0:
        line = raw.count(b"\n", 0, zero) + 1
        raise SpecError(Fault("is no text: it contains a NUL byte", file, line, fix="give a YAML or JSON text file"))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        found = " ".join(f"{byte:02x}" for byte in raw[error.start : error.start + 4])
        raise SpecError(
            Fault("is not UTF-8 text", file, line, value=f"bytes {found}", fix="save the file as UTF-8")
        ) from None


def _syntax_fault(error: yaml.MarkedYAMLError, text: str, file: str | None) -> Fault:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Fault("is not YAML", file, fix="correct the syntax")
    lines = text.splitlines()
    here = lines[mark.line] if mark.line < len(lines) else ""
    place = mark.line + 1
    indent = here[: len(here) - len(here.lstrip())]
    if "\t" in indent:
        return Fault("a tab indents this line", file, place, value=shown(here), fix="indent with two blanks a level")
    problem = str(error.problem)
    if "nested too deeply" in problem:
        return Fault("nested too deeply", file, place, fix=f"use at most {MAX_DEPTH} levels")
    words = next((item for item in _YAML_PROBLEMS if item[0] in problem), None)
    message, fix = (words[1], words[2]) if words else (f"is not YAML: {problem}", "correct the syntax")
    return Fault(
        f"{message} (column {mark.column + 1})", file, place, value=shown(here.strip()) if here else None, fix=fix
    )
