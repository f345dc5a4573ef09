"""A run's network as StableHLO: uint8 images -> what the run says of them.

The parameters, the centres that classify and the Gaussians of the sources are
constants of the program, so one file is enough.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from input_pipeline.errors import UserError
from owdfa_jax.evaluation.centres import centre_logits
from owdfa_jax.evaluation.centres_file import read_centres
from owdfa_jax.evaluation.cluster_parts import ClusterParts
from owdfa_jax.evaluation.restore import RestoredNetwork
from owdfa_jax.evaluation.sources_file import SeenSources
from owdfa_jax.evaluation.unseen import unseen_score
from owdfa_jax.evaluation.whitening_map import whiten
from owdfa_jax.experiment import Experiment
from owdfa_jax.training.state import abstract_network

# What a program runs on, by the names that JAX gives them.
PLATFORMS = ('cpu', 'cuda', 'tpu')
# What JAX raises for an operation that a platform lacks, or that a later
# version might not run.
_NOT_THERE = (NotImplementedError, ValueError)
# `(image) -> outputs`, uint8 [B, S, S, 3] -> arrays by name.
NetworkFunction = Callable[[jax.Array], dict[str, jax.Array]]


def network_function(
  experiment: Experiment,
  restored: RestoredNetwork,
  seen: SeenSources | None,
  temperature: float | None = None,
  parts: ClusterParts | None = None,
) -> NetworkFunction:
  """Returns what a run computes on the devices, with all constants inside.

  Args:
    experiment: the run.
    restored: its network.
    seen: its sources; None for a program without `unseen_score`.
    temperature: divides the logits, so that the probabilities are those of the
      run's answers; None for 1.
    parts: of the clusters that the user split, which take the place of their
      clusters; needs `seen`. None leaves all clusters whole.

  Returns:
    A function from images, uint8 [B, S, S, 3] (RGB), to
    `log_probability` float32 [B, K], with parts [B, K'], `feature` float32
    [B, C] and, with sources, `unseen_score` float32 [B].
  """
  graphdef, _, _ = abstract_network(experiment.build, experiment.placement)
  found = None
  if experiment.config.eval.classify_by == 'centres':
    found = read_centres(experiment.workdir, restored.step)
  # On the host: arrays that are spread over devices would tie the program to
  # their number.
  params, batch_stats, centres, densities = jax.device_get(
    (
      restored.params,
      restored.batch_stats,
      None if found is None else found.centres,
      None if seen is None else seen.densities,
    )
  )

  def run(image: jax.Array) -> dict[str, jax.Array]:
    model = nnx.merge(graphdef, params, batch_stats)
    outputs = model.classify_images(image, train=False)
    logits = outputs.logits
    if centres is not None:
      logits = centre_logits(centres, outputs.feature)
    columns = {
      'log_probability': jax.nn.log_softmax(logits / (temperature or 1)),
      'feature': outputs.feature,
    }
    if densities is not None:
      columns['unseen_score'] = unseen_score(densities, outputs.feature)
      if parts is not None:
        columns['log_probability'] = _of_parts(
          parts,
          columns['log_probability'],
          whiten(densities.whitening, outputs.feature),
        )
    return columns

  return run


def _of_parts(
  parts: ClusterParts, log_probability: jax.Array, place: jax.Array
) -> jax.Array:
  """Returns float32 [B, K']: the nearest part has its cluster's probability.

  See `ClusterParts.expand`; that of the other parts is 0.

  Args:
    parts: of the clusters that are split.
    log_probability: float32 [B, K].
    place: float32 [B, D], the whitened features.
  """
  columns = []
  for output in range(log_probability.shape[1]):
    whole = log_probability[:, output : output + 1]
    centres = parts.centres.get(output)
    if centres is not None:
      nearest = jnp.argmax(place @ centres.T, axis=1, keepdims=True)
      whole = jnp.where(nearest == jnp.arange(len(centres)), whole, -jnp.inf)
    columns.append(whole)
  return jnp.concatenate(columns, axis=1)


def export_function(
  function: NetworkFunction,
  image_size: int,
  platforms: Sequence[str] = PLATFORMS,
) -> jax.export.Exported:
  """Returns a function of images as StableHLO, for batches of any size.

  Args:
    function: takes uint8 [B, S, S, 3].
    image_size: S.
    platforms: what it is to run on; those are left out that lack one of its
      operations.

  Raises:
    UserError: none is left.
  """
  (batch,) = jax.export.symbolic_shape('batch')
  image = jax.ShapeDtypeStruct((batch, image_size, image_size, 3), jnp.uint8)

  def lower(names: Sequence[str]) -> jax.export.Exported:
    return jax.export.export(jax.jit(function), platforms=names)(image)

  try:
    return lower(platforms)
  except _NOT_THERE as error:
    left = [name for name in platforms if _lowers(lower, name)]
    if not left:
      raise UserError(
        f'the network cannot be exported: {error}; use the run itself'
      ) from error
    return lower(left)


def _lowers(
  lower: Callable[[Sequence[str]], jax.export.Exported], platform: str
) -> bool:
  try:
    lower([platform])
  except _NOT_THERE:
    return False
  return True
