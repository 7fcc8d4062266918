"""What is due, what it costs, and which runs train together."""
