"""The training loop, its compiled step, and what a run keeps on disk."""
