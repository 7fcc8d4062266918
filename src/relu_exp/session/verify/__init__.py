"""Finished runs trained again and compared."""
