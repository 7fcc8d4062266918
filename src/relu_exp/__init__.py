"""relu-exp: claims about activation functions and weight initialization, decided by experiment."""

__version__ = "0.1.0"
