"""Training of the embedded judge: synthetic data, tokenizer, network, trainer and evaluation."""
