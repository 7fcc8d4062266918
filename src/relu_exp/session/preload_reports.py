"""Loads once what processes need that build reports; only the fork server imports this module."""

from relu_exp.launchers.processes import become_server

become_server()

import relu_exp.evidence.page.page  # noqa: E402, F401
