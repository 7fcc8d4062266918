"""What is measured of a fleet while it trains, and the tables that record it."""
