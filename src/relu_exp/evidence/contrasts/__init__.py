"""Contrasts: every arm of a sweep against one of them, by the rules and statistics of claims."""
