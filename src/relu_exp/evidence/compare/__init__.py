"""What changed between two result sets."""
