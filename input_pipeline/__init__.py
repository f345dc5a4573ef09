"""From image files to batches of uint8 arrays. Nothing here imports jax."""
