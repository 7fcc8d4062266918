"""Studies: what is computed or timed without any training."""
