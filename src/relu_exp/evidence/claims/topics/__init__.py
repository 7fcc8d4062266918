"""The claims themselves, one module per topic."""
