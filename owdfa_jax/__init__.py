"""Open-world deepfake attribution: networks, losses, methods, training."""

__version__ = '0.1.0'
