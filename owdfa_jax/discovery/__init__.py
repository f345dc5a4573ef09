"""Discovery of novel sources: clusters, pseudo-labels, staged training."""
