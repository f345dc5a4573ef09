"""Open-world deepfake attribution: networks, losses, methods, training."""
