"""Verdicts: what a completion says, read from known positions."""
