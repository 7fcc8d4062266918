"""Everything in torch: networks trained in fleets, and what they measure."""
