"""Loads the engine once for all worker processes; only the fork server imports this module."""

from relu_exp.launchers.processes import become_server

become_server()

import pandas  # noqa: E402, F401  # pyarrow imports it when the first table is made

import relu_exp.engine.training  # noqa: E402, F401
