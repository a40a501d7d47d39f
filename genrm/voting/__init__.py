"""Voting: several verdicts become one, with their spread. Pure functions over arrays."""

from genrm.voting.bradley_terry import bradley_terry as bradley_terry
from genrm.voting.bradley_terry import elo as elo
from genrm.voting.concentration import Concentration as Concentration
from genrm.voting.concentration import fit_concentration as fit_concentration
from genrm.voting.dawid_skene import DawidSkene as DawidSkene
from genrm.voting.dawid_skene import dawid_skene as dawid_skene
from genrm.voting.optimality import Certificate as Certificate
from genrm.voting.optimality import confusion_certificate as confusion_certificate
from genrm.voting.optimality import majority_certificate as majority_certificate
from genrm.voting.panels import ErrorCorrelation as ErrorCorrelation
from genrm.voting.panels import error_correlation as error_correlation
from genrm.voting.panels import label_errors as label_errors
from genrm.voting.panels import log_odds_weights as log_odds_weights
from genrm.voting.panels import panel_majority as panel_majority
from genrm.voting.panels import panel_mean as panel_mean
from genrm.voting.rankings import Ranking as Ranking
from genrm.voting.rankings import borda as borda
from genrm.voting.rankings import condorcet_winner as condorcet_winner
from genrm.voting.rankings import copeland as copeland
from genrm.voting.rankings import cycle_rate as cycle_rate
from genrm.voting.rankings import dowdall as dowdall
from genrm.voting.rankings import minimax as minimax
from genrm.voting.rankings import pairwise as pairwise
from genrm.voting.rankings import plurality as plurality
from genrm.voting.rankings import shared_ranks as shared_ranks
from genrm.voting.rankings import win_rate as win_rate
from genrm.voting.rule import Rule as Rule
from genrm.voting.rules import VotedArray as VotedArray
from genrm.voting.rules import vote_array as vote_array
from genrm.voting.seeds import vote_seed as vote_seed
from genrm.voting.single import Voted as Voted
from genrm.voting.single import nearest_label as nearest_label
from genrm.voting.single import pooled as pooled
from genrm.voting.single import vote as vote
from genrm.voting.single import winner as winner
from genrm.voting.uncertainty import confidence as confidence
from genrm.voting.uncertainty import entropy_split as entropy_split
from genrm.voting.uncertainty import jackknife_se as jackknife_se
from genrm.voting.uncertainty import keep_best as keep_best
from genrm.voting.uncertainty import margin as margin
from genrm.voting.uncertainty import token_likelihood as token_likelihood

__all__ = [
    "Certificate",
    "Concentration",
    "DawidSkene",
    "ErrorCorrelation",
    "Ranking",
    "Rule",
    "Voted",
    "VotedArray",
    "borda",
    "bradley_terry",
    "condorcet_winner",
    "confidence",
    "confusion_certificate",
    "copeland",
    "cycle_rate",
    "dawid_skene",
    "dowdall",
    "elo",
    "entropy_split",
    "error_correlation",
    "fit_concentration",
    "jackknife_se",
    "keep_best",
    "label_errors",
    "log_odds_weights",
    "majority_certificate",
    "margin",
    "minimax",
    "nearest_label",
    "pairwise",
    "panel_majority",
    "panel_mean",
    "plurality",
    "pooled",
    "shared_ranks",
    "token_likelihood",
    "vote",
    "vote_array",
    "vote_seed",
    "win_rate",
    "winner",
]
