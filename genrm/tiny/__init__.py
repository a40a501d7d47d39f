"""The embedded judge: weights, tokenizer and their description. A demonstration judge with a narrow domain."""
