"""Fleets: runs of equal shape that train as one tensor program."""
