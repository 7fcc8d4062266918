"""The claims: rules that were fixed in advance, and what judges by them."""
