"""What the fork server loads, once for all worker processes. Only the fork server imports it."""

import ctypes
import signal

PR_SET_PDEATHSIG = 1

# It would load on after a command that has ended already, and hold the command's terminal or pipe.
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

import relu_exp.engine.training  # noqa: E402, F401
