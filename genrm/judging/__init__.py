"""Judging: the Judge, its protocols, and what they return."""
