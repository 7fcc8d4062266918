"""Result folders: atomic writes, checked reads, locks and provenance."""
