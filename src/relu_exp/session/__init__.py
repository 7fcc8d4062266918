"""What a command does: compose sweeps, train them, report, and show progress."""
