"""Batch: files in, files out, resumable."""
