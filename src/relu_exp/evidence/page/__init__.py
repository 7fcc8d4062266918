"""The page: all results in one HTML file."""
