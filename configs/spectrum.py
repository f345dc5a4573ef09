"""The spectrum: k-means on the spectra of images, without a network.

The floor that a method has to beat. It takes seed, data and eval.split from
the settings; those of networks and training have no effect.

python main.py --config=configs/spectrum.py:folder64 \
  --config.data.path=data/packed/mine --workdir=runs/spectrum

With --config.data.supervision=all it is given the labels of all training
images, and is a logistic regression.

All ACC on simulated1, one CPU core, three seeds: 81.9 ± 2.3 (docs/results.md).
"""

import ml_collections

from owdfa_jax.configs import default


def get_config(benchmark: str = 'owdfa1') -> ml_collections.ConfigDict:
  """Returns the settings of the spectrum on `benchmark`."""
  config = default.get_config('supervised', benchmark)
  # The section says that no network is trained.
  config.spectrum = ml_collections.ConfigDict()
  # The number of principal components of the spectra.
  config.spectrum.components = 64
  # Nothing is selected.
  config.eval.selection = 'last'
  return config
