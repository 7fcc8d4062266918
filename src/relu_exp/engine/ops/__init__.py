"""The tensor steps of a whole fleet: products, kernels and their precision."""
