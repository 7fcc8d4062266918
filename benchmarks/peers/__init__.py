"""The peers: one small program for each way to train the reference work, as its users write it."""
