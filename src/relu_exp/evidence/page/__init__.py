"""The page: everything that came out in one HTML file."""
