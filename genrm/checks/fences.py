"""Fenced code blocks of a Markdown text, found line by line in one pass.

>>> [(block.language, block.body) for block in fenced_blocks("Here:\\n```py\\nx = 1\\n```")]
[('python', 'x = 1')]
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Short names that people write after the opening fence.
_ALIASES = {
    "js": "javascript",
    "md": "markdown",
    "py": "python",
    "python3": "python",
    "sh": "bash",
    "shell": "bash",
    "ts": "typescript",
    "yml": "yaml",
}

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*([^\r\n]*)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language ("" when unmarked), its text, and whether a closing fence follows."""

    language: str
    body: str
    closed: bool


def fenced_blocks(text: str) -> list[Block]:
    """The blocks in order. As in CommonMark, an unclosed fence reaches to the end of the text."""
    blocks: list[Block] = []
    fence, language = "", ""
    body: list[str] = []
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if not fence:
            # A back-tick in the rest of the line makes it inline code, not an opening fence.
            if match and not (match[1][0] == "`" and "`" in match[2]):
                fence, language, body = match[1], language_name(match[2]), []
        elif match and match[1][0] == fence[0] and len(match[1]) >= len(fence) and not match[2].strip():
            blocks.append(Block(language, "\n".join(body), closed=True))
            fence = ""
        else:
            body.append(line)
    if fence:
        blocks.append(Block(language, "\n".join(body), closed=False))
    return blocks


def language_name(info: str) -> str:
    """The language that an info string names, lower-cased and in its long form."""
    words = info.strip().lower().lstrip("{.").split()
    name = re.split(r"[,:{}]", words[0])[0] if words else ""
    return _ALIASES.get(name, name)
