"""What a command does: its sweeps, their training, reports and what it shows."""
