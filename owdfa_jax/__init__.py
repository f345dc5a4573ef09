"""Open-world deepfake attribution: networks, losses, methods, training."""

__version__ = '0.2.0.dev0'
