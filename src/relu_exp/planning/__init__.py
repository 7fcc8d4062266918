"""Planning: which runs are due, which train together, and what they cost."""
