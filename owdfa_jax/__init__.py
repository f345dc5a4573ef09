"""Open-world deepfake attribution: models, losses, methods and the training loop."""
