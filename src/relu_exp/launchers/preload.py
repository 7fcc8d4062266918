"""Loads the engine once for all worker processes; only the fork server imports this module."""

import sys

from relu_exp.launchers.processes import end_with_parent

# Otherwise it would go on loading after the command has ended, and hold its terminal or pipe open.
end_with_parent()

# The server's path begins with the folder that the user stands in, which must lend no code.
sys.path[:] = [place for place in sys.path if place]

import pandas  # noqa: E402, F401  # pyarrow imports it when the first table is made

import relu_exp.engine.training  # noqa: E402, F401
