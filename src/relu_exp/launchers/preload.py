"""What the fork server loads, once for all worker processes. Only the fork server imports it."""

from relu_exp.launchers.processes import end_with_parent

# It would load on after a command that has ended already, and hold the command's terminal or pipe.
end_with_parent()

import relu_exp.engine.training  # noqa: E402, F401
