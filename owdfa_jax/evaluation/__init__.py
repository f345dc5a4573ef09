"""From a checkpoint to predictions, metrics, reports and attributions."""
