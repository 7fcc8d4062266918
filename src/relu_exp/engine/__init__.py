"""The torch wing: networks trained in fleets, and what they measure."""
