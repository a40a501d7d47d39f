"""Specs: what to judge and by which measure. Takes YAML, JSON and dicts; gives checked objects."""
