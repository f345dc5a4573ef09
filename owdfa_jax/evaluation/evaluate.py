"""Evaluation: every image once, on any number of devices, to a report."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from flax import nnx

from input_pipeline import pipeline, supervision
from input_pipeline.errors import UserError
from owdfa_jax import parallel
from owdfa_jax.evaluation import metrics
from owdfa_jax.evaluation import report as report_lib
from owdfa_jax.experiment import Experiment, eval_rows, validation_share
from owdfa_jax.models import classifier
from owdfa_jax.training import augment, state
from owdfa_jax.training.checkpoints import CHECKPOINTS, Checkpoints
from owdfa_jax.training.state import TrainState
from owdfa_jax.training.workdir import (
  OF_THE_NETWORK,
  check_workdir,
  trained_setting,
)


@dataclasses.dataclass(frozen=True)
class Predictions:
  """What the network says of N images, in the order of their rows.

  Attributes:
    row: int32 [N], of the split.
    predicted: int32 [N], the most probable class.
    confidence: float32 [N], its probability.
    fake: float32 [N], the probability of all but the known real classes.
  """

  row: np.ndarray
  predicted: np.ndarray
  confidence: np.ndarray
  fake: np.ndarray


class Evaluator:
  """The compiled forward pass of a run, and the passes over its splits."""

  def __init__(self, experiment: Experiment, graphdef: nnx.GraphDef):
    """Compiles nothing yet; `graphdef` is the network's static definition."""
    self._experiment = experiment
    classes = experiment.dataset.classes
    # Which novel output is a novel source of real images, nobody knows.
    real = [c.label for c in classes if c.face_type == 1 and c.known]
    self._step = make_eval_step(graphdef, real, experiment.placement)
    self._feature_step = make_eval_step(
      graphdef, real, experiment.placement, with_feature=True
    )

  def predict(
    self,
    params: Any,
    batch_stats: Any,
    batches: Iterator[dict[str, np.ndarray]],
  ) -> Predictions:
    """Classifies images, each exactly once.

    Args:
      params: of the network, on the devices.
      batch_stats: likewise.
      batches: `image` uint8 [b, S, S, 3], `index` int32 [b] and `mask` bool
        [b]; this process's rows of global batches.

    Returns:
      The rows whose mask holds, in the order of their index.
    """
    step = functools.partial(self._step, params, batch_stats)
    return Predictions(**self._collect(step, batches))

  def predict_and_feature(
    self,
    params: Any,
    batch_stats: Any,
    batches: Iterator[dict[str, np.ndarray]],
  ) -> tuple[Predictions, np.ndarray]:
    """As `predict`; and the images' global features, float32 [N, C]."""
    step = functools.partial(self._feature_step, params, batch_stats)
    columns = self._collect(step, batches)
    feature = columns.pop('feature')
    return Predictions(**columns), feature

  def _collect(
    self,
    step: Callable[[dict[str, jax.Array]], dict[str, jax.Array]],
    batches: Iterator[dict[str, np.ndarray]],
  ) -> dict[str, np.ndarray]:
    placement = self._experiment.placement
    collected = []
    for batch in batches:
      batch = {name: batch[name] for name in ('image', 'index', 'mask')}
      outputs = parallel.to_host(step(placement.put_batch(batch)))
      real = outputs.pop('mask')
      collected.append({name: x[real] for name, x in outputs.items()})
    columns = {
      name: np.concatenate([c[name] for c in collected])
      for name in collected[0]
    }
    order = np.argsort(columns['row'], kind='stable')
    return {name: x[order] for name, x in columns.items()}

  def batches(
    self, split: str, rows: np.ndarray | None = None
  ) -> Iterator[dict[str, np.ndarray]]:
    """The images of a split (all, or `rows` int [N]), in evaluation batches."""
    config = self._experiment.config
    return pipeline.evaluation_batches(
      self._experiment.dataset,
      split,
      rows=rows,
      batch_size=parallel.round_up(
        config.eval.batch_size, self._experiment.placement
      ),
      process_index=jax.process_index(),
      process_count=jax.process_count(),
      num_threads=config.data.num_threads,
    )

  def judge(self, done: int, train_state: TrainState) -> dict[str, Any]:
    """Returns the test metrics after step `done`, with the `score` that
    decides which checkpoint is best, by `eval.selection`.
    """
    config = self._experiment.config
    network = train_state.params, train_state.batch_stats
    numbers, _ = self.score(*network)
    judged = numbers
    if config.eval.selection == 'validation':
      rows = supervision.validation_rows(
        self._experiment.dataset, config.seed, validation_share(config)
      )
      judged, _ = self.score(*network, split='train', rows=rows)
    score = judged[config.eval.metric]
    if config.eval.selection == 'last' or score is None:
      # Also where there is nothing to judge by: later counts as better.
      score = float(done)
    scalars = {k: v for k, v in numbers.items() if k != 'per_class'}
    return scalars | {'score': score}

  def score(
    self,
    params: Any,
    batch_stats: Any,
    split: str = 'test',
    rows: np.ndarray | None = None,
  ) -> tuple[dict[str, Any], Predictions]:
    """Returns the metrics of `metrics.open_world_report`, and what they judge.

    Args:
      params: of the network, on the devices.
      batch_stats: likewise.
      split: 'train' or 'test'.
      rows: int [N], which rows of it; None for all.
    """
    dataset = self._experiment.dataset
    predictions = self.predict(params, batch_stats, self.batches(split, rows))
    true_label = getattr(dataset, split).label[predictions.row]
    face_types = {c.face_type for c in dataset.classes}
    real = np.array([c.face_type == 1 for c in dataset.classes])
    numbers = metrics.open_world_report(
      true_label,
      predictions.predicted,
      predictions.confidence,
      dataset.num_known,
      is_fake=~real[true_label] if face_types == {0, 1} else None,
      fake_score=predictions.fake,
    )
    live = classifier.live_outputs(batch_stats)
    numbers['estimated_classes'] = None if live is None else int(live.sum())
    return numbers, predictions


def make_eval_step(
  graphdef: nnx.GraphDef,
  real: list[int],
  placement: parallel.Placement,
  *,
  with_feature: bool = False,
) -> Any:
  """Returns the compiled pass: (params, batch_stats, batch) -> predictions.

  Args:
    graphdef: the network's static definition.
    real: labels of the known classes of unforged images.
    placement: batches come split over its devices; results are replicated, so
      that every process of a pod sees all rows.
    with_feature: return the global feature too, which is many times larger
      than the rest.
  """

  def eval_step(
    params: Any, batch_stats: Any, batch: dict[str, jax.Array]
  ) -> dict[str, jax.Array]:
    model = nnx.merge(graphdef, params, batch_stats)
    outputs = model(augment.normalise(batch['image']), train=False)
    prob = jax.nn.softmax(outputs.logits)
    feature = {'feature': outputs.feature} if with_feature else {}
    return feature | {
      'row': batch['index'],
      'mask': batch['mask'],
      'predicted': jnp.argmax(prob, -1).astype(jnp.int32),
      'confidence': prob.max(-1),
      'fake': 1 - prob[:, jnp.array(real, jnp.int32)].sum(-1),
    }

  return jax.jit(eval_step, out_shardings=placement.replicated)


def evaluate(experiment: Experiment) -> dict[str, Any]:
  """Restores a checkpoint, evaluates it, prints and writes the report.

  `eval.checkpoint` says which; only the network is restored, from however
  many devices saved it.

  Returns:
    What `report.json` holds.

  Raises:
    UserError: there is no such checkpoint.
  """
  evaluator, network, restored = restore(experiment)
  split, rows = eval_rows(experiment.dataset, experiment.config.eval.split)
  numbers, predictions = evaluator.score(*network, split, rows)
  report = {
    'checkpoint_step': restored.step,
    'checkpoint': experiment.config.eval.checkpoint,
    'selection': trained_setting(experiment, 'eval.selection'),
    'split': experiment.config.eval.split,
    **numbers,
    'per_class': [
      {'name': experiment.dataset.classes[entry['label']].name, **entry}
      for entry in numbers['per_class']
    ],
    'last': restored.last_metrics,
  }
  if jax.process_index() == 0:
    report_lib.write(experiment, report, predictions)
  return report


@dataclasses.dataclass(frozen=True)
class Restored:
  """Which checkpoint it was, and the metrics of the latest one."""

  step: int
  last_metrics: dict[str, Any] | None


def restore(
  experiment: Experiment,
) -> tuple[Evaluator, tuple[Any, Any], Restored]:
  """Returns an evaluator and the network of the checkpoint asked for.

  Only parameters and statistics are read, onto whatever devices there are.

  Raises:
    UserError: there is no such checkpoint.
  """
  # Opening would make the folder: looking must not leave anything behind.
  if not (experiment.workdir / CHECKPOINTS).exists():
    raise nothing_trained(experiment.workdir)
  check_workdir(experiment, lambda name: name.startswith(OF_THE_NETWORK))
  graphdef, params, batch_stats = state.abstract_network(
    experiment.build, experiment.placement
  )
  with Checkpoints(experiment.workdir, reads_only=True) as checkpoints:
    step = choose_step(experiment, checkpoints)
    network = checkpoints.restore_model(step, params, batch_stats)
    restored = Restored(step, checkpoints.last_metrics())
  return Evaluator(experiment, graphdef), network, restored


def choose_step(experiment: Experiment, checkpoints: Checkpoints) -> int:
  """The step that `eval.checkpoint` ('best', 'latest' or a number) means."""
  wanted = experiment.config.eval.checkpoint
  named = {'best': checkpoints.best, 'latest': checkpoints.latest}
  if wanted in named:
    step = named[wanted]()
  elif wanted.isdecimal():
    step = int(wanted)
  else:
    raise UserError(
      f'no such checkpoint: --config.eval.checkpoint={wanted}; '
      "use 'best', 'latest' or the number of a step"
    )
  if step is None:
    raise nothing_trained(experiment.workdir)
  return step


def nothing_trained(workdir: epath.Path) -> UserError:
  """The error of a workdir without a checkpoint."""
  return UserError(
    f'nothing to evaluate: no checkpoint in --workdir={workdir}; train '
    'first, with the same command without --mode'
  )
