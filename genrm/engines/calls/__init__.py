"""Judges that are reached by calls (vLLM, servers, API models): what a call is, and how a plan is written by calls."""
