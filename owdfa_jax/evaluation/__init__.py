"""Evaluates checkpoints: predictions, metrics, reports and attributions."""
