"""Launchers train fleets and save the results, on this machine or on others."""
