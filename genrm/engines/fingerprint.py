"""What a model is, beyond its name: a short hash over the files in its folder.

    >>> fingerprint(tiny_dir())                                                              # doctest: +SKIP
    '5d1f0c9ab3e2'

Two runs may be mixed only if the same weights judged in both, and a folder keeps its name when its weights change.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

WHOLE = 64 << 20
"""Larger files are read at both ends only: a checkpoint of 100 GB must not be read twice."""
END = 1 << 20
KINDS = (".safetensors", ".bin", ".json", ".jinja", ".model", ".txt")


def fingerprint(folder: Path) -> str:
    """12 hexadecimal digits over names, sizes and contents of the weights, configuration and tokenizer.

    Of a file beyond 64 MiB only the first and the last MiB count, besides its size.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.suffix in KINDS and path.is_file()):
        size = path.stat().st_size
        digest.update(f"{len(path.name)}:{path.name}:{size}:".encode())
        with path.open("rb") as file:
            if size <= WHOLE:
                digest.update(file.read())
            else:
                digest.update(file.read(END))
                file.seek(-END, 2)
                digest.update(file.read())
    return digest.hexdigest()[:12]
