"""The seed of every vote, derived from what the vote is about.

    >>> vote_seed(0, "row-7", 2) - vote_seed(0, "row-7", 0)
    2

The same run seed gives the same seeds in every process, on every platform and in every order of work; different
samples, or parts of a sample (such as criteria asked apart), get unrelated ones. The votes on one question have
consecutive seeds: that is what an engine derives from one seed when it is asked for ``n`` texts at once, so a vote is
the same whether it is asked for alone or together with others.
"""

from __future__ import annotations

import hashlib
import json

_ENCODER = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))


def vote_seed(run_seed: int, sample_id: str, vote: int, part: str = "") -> int:
    """A seed in [0, 2**63): 63 bits of the SHA-256 of the other arguments as a JSON array, plus the vote's index.

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
    text = _ENCODER.encode([run_seed, sample_id, part])
    first = int.from_bytes(hashlib.sha256(text.encode("ascii")).digest()[:8], "big") >> 1
    return (first + vote) % 2**63
