"""Voting: several verdicts become one, with their spread. Pure functions over arrays."""

from genrm.voting.rules import Voted as Voted
from genrm.voting.rules import nearest_label as nearest_label
from genrm.voting.rules import pooled as pooled
from genrm.voting.rules import vote as vote
from genrm.voting.rules import winner as winner
from genrm.voting.seeds import vote_seed as vote_seed

__all__ = ["Voted", "nearest_label", "pooled", "vote", "vote_seed", "winner"]
