"""Rewards: criterion scores become one number. Pure functions over arrays."""

from genrm.rewards.aggregate import gate as gate
from genrm.rewards.aggregate import points as points
from genrm.rewards.aggregate import weighted_mean as weighted_mean
from genrm.rewards.tree import Node as Node
from genrm.rewards.tree import aggregate as aggregate
from genrm.rewards.tree import score_of as score_of

__all__ = ["Node", "aggregate", "gate", "points", "score_of", "weighted_mean"]
