"""What is observed of a fleet while it trains, and the tables it goes to."""
