"""The answer cache: identical judge calls are paid for once, by any number of processes."""
