"""Trace: CPL on the traces of generators instead of the picture.

The network sees the residual of an image, its pixels without their smooth part,
and the local spectrum of that residual. It is trained as CPL is, on views that
interpolate no pixel. Whitened features of all training images are then
clustered, and the centres of the clusters name the source of an image.

python main.py --config=configs/trace.py:folder64 \
  --config.data.path=data/packed/mine --workdir=runs/trace

All ACC on simulated1, one CPU core, three seeds: 87.3 ± 0.7 (docs/results.md).
"""

from typing import Any

import ml_collections

from owdfa_jax.configs import benchmarks, default

# What sees the trace of a generator; for other methods too.
NETWORK: dict[str, Any] = {
  'model.front_end': 'residual',
  'model.spectrum_features': 128,
  # Training forgets what no label needs; clusters see this of the spectrum.
  'model.spectrum_projections': 128,
  # A resized crop interpolates every pixel, and so blurs the trace.
  'augment.crop': 'none',
}
# For the small network. Half the width costs a quarter of the time; full width
# was not tried.
SMALL: dict[str, Any] = {
  'model.width': 0.5,
  'optimizer.learning_rate': 2e-3,
}
# Whitened centres name the source of an image.
READ_OUT: dict[str, Any] = {
  'eval.classify_by': 'centres',
  'eval.whitening': 'pca_within_class',
}


def network(benchmark: str) -> dict[str, Any]:
  """Returns the settings of the network and its views on `benchmark`."""
  backbone = benchmarks.find(benchmark).settings.get('model.backbone')
  return NETWORK | (SMALL if backbone == 'small' else {})


def get_config(benchmark: str = 'owdfa1') -> ml_collections.ConfigDict:
  """Returns the settings of Trace on `benchmark`."""
  config = default.get_config('cpl', benchmark)
  benchmarks.apply_method(config, benchmark)
  config.update_from_flattened_dict(network(benchmark) | READ_OUT)
  # Evaluations between epochs use the head, so they cannot select the epoch of
  # the best centres.
  config.eval.selection = 'last'
  return config
