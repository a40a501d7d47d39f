"""The seed of every vote, derived from what the vote is about.

    >>> vote_seed(0, "row-7", 2)
    617179544250519456

The same run seed gives the same seeds in every process, on every platform and in every order of work; different
votes, samples or parts of a sample (such as criteria asked apart) get unrelated ones.
"""

from __future__ import annotations

import hashlib
import json


def vote_seed(run_seed: int, sample_id: str, vote: int, part: str = "") -> int:
    """A seed in [0, 2**63): the first 63 bits of the SHA-256 of the arguments as a JSON array.

    Args:
        run_seed: of the whole run.
        sample_id: of the sample.
        vote: index of the vote, from 0.
        part: what is asked, where one sample takes several calls.

    Raises:
        ValueError: ``vote`` is negative.
    """
    if vote < 0:
        raise ValueError(f"vote is an index from 0, found {vote}")
    # JSON keeps the borders between the arguments, and its ASCII form has room for lone surrogates.
    text = json.dumps([run_seed, sample_id, vote, part], ensure_ascii=True, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode("ascii")).digest()[:8], "big") >> 1
