"""Compares an exported network with the run that it is from."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from input_pipeline.batches import Batch
from input_pipeline.errors import UserError
from owdfa_jax import parallel
from owdfa_jax.evaluation.calibration import tempered
from owdfa_jax.evaluation.cluster_parts import ClusterParts
from owdfa_jax.evaluation.restore import RestoredNetwork
from owdfa_jax.experiment import Experiment
from owdfa_jax.export.load import ExportedNetwork

NUM_IMAGES = 16
# The largest difference that is taken for rounding: the order of sums differs
# between programs.
TOLERANCE = {'float32': 1e-3, 'bfloat16': 3e-2}
_WHERE = {True: 'test images of the run', False: 'drawn images'}


def compare_with_run(
  experiment: Experiment,
  restored: RestoredNetwork,
  exported: ExportedNetwork,
  temperature: float | None = None,
  parts: ClusterParts | None = None,
) -> dict[str, Any]:
  """Returns how far the outputs of an export are from those of its run.

  Both see the same images: test images of the run, or drawn ones if its data is
  not at hand.

  Args:
    experiment: the run.
    restored: its network, with its sources if the export has them.
    exported: the network of the export, loaded from its files.
    temperature: see `network_function`.
    parts: see `network_function`.

  Returns:
    `images`, their number; `of`, what they are; `tolerance`; and
    `largest_difference` of `probability`, `feature` and, with sources,
    `unseen_score`: of numbers that are larger than 1 relative to the largest.

  Raises:
    UserError: a difference is above the tolerance.
  """
  has_images = len(experiment.dataset.test) > 0
  images = _images(experiment, restored) if has_images else _drawn(experiment)
  network = restored.params, restored.batch_stats
  wanted = next(
    restored.predictor.rows(
      *network, _padded(experiment, images), with_features=True
    )
  )
  found = exported(images)
  tolerance = TOLERANCE[experiment.config.model.dtype]
  differences = _differences(_read(found), _read(wanted, temperature, parts))
  for name, difference in differences.items():
    if not difference <= tolerance:
      raise UserError(
        f'the export is not the network: its {name} differs by '
        f'{difference:.2g} on {_WHERE[has_images]} (more than {tolerance:g}); '
        'use the run itself'
      )
  return {
    'images': len(images),
    'of': _WHERE[has_images],
    'tolerance': tolerance,
    'largest_difference': differences,
  }


def _images(experiment: Experiment, restored: RestoredNetwork) -> np.ndarray:
  """Returns test images, uint8 [N, S, S, 3]."""
  number = min(NUM_IMAGES, len(experiment.dataset.test))
  batch = next(restored.predictor.batches('test', np.arange(number)))
  return batch['image'][batch['mask']]


def _drawn(experiment: Experiment) -> np.ndarray:
  """Returns images of noise of several grains, uint8 [N, S, S, 3]."""
  size, draw = experiment.dataset.image_size, np.random.default_rng(0)
  images = []
  for number in range(NUM_IMAGES):
    grain = 2 ** (number % 4)
    cells = -(-size // grain)
    noise = draw.integers(0, 256, (cells, cells, 3), np.uint8)
    large = noise.repeat(grain, 0).repeat(grain, 1)
    images.append(large[:size, :size])
  return np.stack(images)


def _padded(experiment: Experiment, images: np.ndarray) -> Iterator[Batch]:
  """Yields one batch of images that the devices can share."""
  rows = parallel.round_up(len(images), experiment.placement)
  batch = np.zeros((rows, *images.shape[1:]), np.uint8)
  batch[: len(images)] = images
  index = np.full(rows, -1, np.int32)
  index[: len(images)] = np.arange(len(images))
  yield {'image': batch, 'index': index, 'mask': index >= 0}


def _read(
  columns: Mapping[str, np.ndarray],
  temperature: float | None = None,
  parts: ClusterParts | None = None,
) -> dict[str, np.ndarray]:
  """Returns the numbers to compare, by name."""
  probability = tempered(columns['log_probability'], temperature)
  if parts is not None:
    pairs = zip(probability, columns['place'], strict=True)
    probability = np.stack([parts.expand(*pair) for pair in pairs])
  numbers = {'probability': probability, 'feature': columns['feature']}
  if 'unseen_score' in columns:
    numbers['unseen_score'] = columns['unseen_score']
  return numbers


def _differences(
  found: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]
) -> dict[str, float]:
  """Returns the largest difference of each; inf if one was not found."""
  differences = {}
  for name, numbers in wanted.items():
    scale = max(1.0, float(np.abs(numbers).max()))
    apart = np.abs(found[name] - numbers) if name in found else np.inf
    differences[name] = float(np.max(apart)) / scale
  return differences
