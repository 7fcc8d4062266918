"""The explorer: what real runs measured, layer by layer, for a page to show."""
