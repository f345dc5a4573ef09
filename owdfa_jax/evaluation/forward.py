"""The compiled forward pass of a network, with everything said of an image."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from owdfa_jax import parallel
from owdfa_jax.evaluation.centres import Centres, centre_logits
from owdfa_jax.evaluation.unseen import SourceDensities, unseen_score
from owdfa_jax.evaluation.whitening_map import whiten
from owdfa_jax.parallel import DeviceBatch
from owdfa_jax.training.state import BatchStats, Params


def make_forward(
  graphdef: nnx.GraphDef,
  real: list[int],
  num_known: int,
  placement: parallel.Placement,
  *,
  with_features: bool = False,
  with_log_probability: bool = False,
) -> Callable[..., DeviceBatch]:
  """Returns `(params, batch_stats, centres, sources, batch) -> columns`.

  It is compiled. Without `centres` the network's head classifies; without
  `sources` there is no column `unseen_score`. With a last argument, what
  `shared_names.first_outputs` returns, there are the columns `source` and
  `source_confidence` of `predictions.Predictions`; with a temperature, the
  column `calibrated`.

  Args:
    graphdef: the network's static definition.
    real: labels of the known classes of real (not forged) images.
    num_known: the number of known classes, whose outputs come first.
    placement: batches are split over its devices. Results are replicated, so
      that every process of a pod sees all rows.
    with_features: return `feature` too. It is far larger than the other columns
      and stays split by rows. With `sources` also `place`, float32 [b, D], the
      whitened features.
    with_log_probability: return `log_probability` too, float32 [b, K].
  """

  def forward(
    params: Params,
    batch_stats: BatchStats,
    centres: Centres | None,
    sources: SourceDensities | None,
    batch: DeviceBatch,
    first_output: jax.Array | None = None,
    temperature: jax.typing.ArrayLike | None = None,
  ) -> DeviceBatch:
    model = nnx.merge(graphdef, params, batch_stats)
    outputs = model.classify_images(batch['image'], train=False)
    logits = outputs.logits
    if centres is not None:
      logits = centre_logits(centres, outputs.feature)
    probability = jax.nn.softmax(logits)
    real_probability = probability[:, jnp.array(real, jnp.int32)].sum(-1)
    columns = {
      'row': batch['index'],
      'mask': batch['mask'],
      'predicted': jnp.argmax(probability, -1).astype(jnp.int32),
      'confidence': probability.max(-1),
      'fake_probability': 1 - real_probability,
      'novel_probability': probability[:, num_known:].sum(-1),
      'is_finite': (
        jnp.isfinite(outputs.logits).all(-1)
        & jnp.isfinite(outputs.feature).all(-1)
      ),
    }
    columns |= _columns_of_names(logits, first_output, temperature)
    if sources is not None:
      columns['unseen_score'] = unseen_score(sources, outputs.feature)
      if with_features:
        columns['place'] = whiten(sources.whitening, outputs.feature)
    if with_log_probability:
      columns['log_probability'] = jax.nn.log_softmax(logits)
    place = jax.lax.with_sharding_constraint
    columns = place(columns, placement.replicated)
    if with_features:
      columns['feature'] = place(outputs.feature, placement.by_batch)
    return columns

  return jax.jit(forward)


def _columns_of_names(
  logits: jax.Array,
  first_output: jax.Array | None,
  temperature: jax.typing.ArrayLike | None,
) -> DeviceBatch:
  """Returns the columns of names that outputs share, and of a temperature."""
  columns: dict[str, jax.Array] = {}
  if first_output is not None:
    probability = jax.nn.softmax(logits)
    total = jnp.zeros_like(probability).at[:, first_output].add(probability)
    columns['source'] = jnp.argmax(total, -1).astype(jnp.int32)
    columns['source_confidence'] = total.max(-1)
  if temperature is not None:
    tempered = jax.nn.softmax(logits / temperature)
    columns['calibrated'] = tempered.max(-1)
    if first_output is not None:
      total = jnp.zeros_like(tempered).at[:, first_output].add(tempered)
      columns['source_calibrated'] = total.max(-1)
  return columns
