"""Launchers take fleets and see them through: here, or on other machines."""
