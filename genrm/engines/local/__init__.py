"""What the engines ``hf:`` and ``tiny`` are made of: loading, batches on a worker thread, and the token loop."""
