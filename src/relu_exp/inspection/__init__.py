"""Measures a network that was built elsewhere: what its layers do, and why it does not learn."""
