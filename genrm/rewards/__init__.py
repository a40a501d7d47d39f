"""Rewards: criterion scores become one number, and numbers become what a trainer learns from. Pure functions."""

from genrm.rewards.aggregate import gate as gate
from genrm.rewards.aggregate import points as points
from genrm.rewards.aggregate import weighted_mean as weighted_mean
from genrm.rewards.controls import BleuReward as BleuReward
from genrm.rewards.controls import ConstantReward as ConstantReward
from genrm.rewards.controls import FormatReward as FormatReward
from genrm.rewards.controls import LengthReward as LengthReward
from genrm.rewards.controls import MajorityReward as MajorityReward
from genrm.rewards.controls import RandomReward as RandomReward
from genrm.rewards.group import group_minmax as group_minmax
from genrm.rewards.group import group_rank as group_rank
from genrm.rewards.group import group_spread as group_spread
from genrm.rewards.group import group_std as group_std
from genrm.rewards.group import leave_one_out as leave_one_out
from genrm.rewards.group import multi_objective as multi_objective
from genrm.rewards.groups import Grouped as Grouped
from genrm.rewards.groups import Masked as Masked
from genrm.rewards.groups import read as read
from genrm.rewards.groups import to_groups as to_groups
from genrm.rewards.identity import affine as affine
from genrm.rewards.identity import identity as identity
from genrm.rewards.length import group_length as group_length
from genrm.rewards.length import length_penalty as length_penalty
from genrm.rewards.length import length_residual as length_residual
from genrm.rewards.length import overlong as overlong
from genrm.rewards.ranked import hierarchical as hierarchical
from genrm.rewards.ranked import lexicographic as lexicographic
from genrm.rewards.reference import contrastive as contrastive
from genrm.rewards.reference import lsc as lsc
from genrm.rewards.reference import par as par
from genrm.rewards.reference import text_norm as text_norm
from genrm.rewards.risk import Dual as Dual
from genrm.rewards.risk import abstain as abstain
from genrm.rewards.risk import lagrangian as lagrangian
from genrm.rewards.risk import quantile_risk as quantile_risk
from genrm.rewards.shaping import Parameter as Parameter
from genrm.rewards.shaping import Shape as Shape
from genrm.rewards.shaping import find_shape as find_shape
from genrm.rewards.shaping import shape as shape
from genrm.rewards.shaping import shapes as shapes
from genrm.rewards.steps import step_clip as step_clip
from genrm.rewards.steps import step_delta as step_delta
from genrm.rewards.steps import step_last as step_last
from genrm.rewards.steps import step_mean as step_mean
from genrm.rewards.steps import step_min as step_min
from genrm.rewards.steps import step_min_credit as step_min_credit
from genrm.rewards.steps import step_product as step_product
from genrm.rewards.strict import all_pass as all_pass
from genrm.rewards.strict import geometric as geometric
from genrm.rewards.strict import log_sigmoid_sum as log_sigmoid_sum
from genrm.rewards.strict import minimum as minimum
from genrm.rewards.strict import soft_min as soft_min
from genrm.rewards.tree import Node as Node
from genrm.rewards.tree import aggregate as aggregate
from genrm.rewards.tree import score_of as score_of
from genrm.rewards.verified import prof as prof
from genrm.rewards.verified import stratified as stratified
from genrm.rewards.verified import trust as trust
from genrm.rewards.verified import trust_factor as trust_factor
from genrm.rewards.verified import variance_weight as variance_weight

__all__ = [
    "BleuReward",
    "ConstantReward",
    "Dual",
    "FormatReward",
    "Grouped",
    "LengthReward",
    "MajorityReward",
    "Masked",
    "Node",
    "Parameter",
    "RandomReward",
    "Shape",
    "abstain",
    "affine",
    "aggregate",
    "all_pass",
    "contrastive",
    "find_shape",
    "gate",
    "geometric",
    "group_length",
    "group_minmax",
    "group_rank",
    "group_spread",
    "group_std",
    "hierarchical",
    "identity",
    "lagrangian",
    "leave_one_out",
    "length_penalty",
    "length_residual",
    "lexicographic",
    "log_sigmoid_sum",
    "lsc",
    "minimum",
    "multi_objective",
    "overlong",
    "par",
    "points",
    "prof",
    "quantile_risk",
    "read",
    "score_of",
    "shape",
    "shapes",
    "soft_min",
    "step_clip",
    "step_delta",
    "step_last",
    "step_mean",
    "step_min",
    "step_min_credit",
    "step_product",
    "stratified",
    "text_norm",
    "to_groups",
    "trust",
    "trust_factor",
    "variance_weight",
    "weighted_mean",
]
