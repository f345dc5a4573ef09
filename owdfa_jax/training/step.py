"""The training step: uint8 images in, new parameters out, in one program."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from owdfa_jax.methods.base import (
  Context,
  EpochInfo,
  LossExtras,
  Method,
  VisibleLabels,
)
from owdfa_jax.models.classifier import Classifier
from owdfa_jax.models.outputs import Outputs
from owdfa_jax.parallel import DeviceBatch, Placement, compile_together
from owdfa_jax.training import augment
from owdfa_jax.training.compiler import compiler_options
from owdfa_jax.training.finite import finite_parts, take_step_if
from owdfa_jax.training.partner_metrics import partner_metrics
from owdfa_jax.training.seeded_step import SeededStep
from owdfa_jax.training.state import (
  BatchStats,
  Params,
  TrainState,
  split_network,
)
from owdfa_jax.training.step_report import StepReport
from owdfa_jax.training.views import PAPERS, Augmentation, View, make_view

P = ParamSpec('P')
R = TypeVar('R')
TrainStep = Callable[[TrainState, DeviceBatch], tuple[TrainState, StepReport]]


def make_train_step(
  graphdef: nnx.GraphDef,
  method: Method,
  optimizer: optax.GradientTransformation,
  schedule: optax.Schedule,
  epoch_info_at: Callable[[jax.Array], EpochInfo],
  seed: int,
  placement: Placement,
  augmentation: Augmentation = PAPERS,
  shardings: TrainState | None = None,
) -> SeededStep:
  """Returns the compiled step: (state, batch) -> (state, report).

  The batch is global and split over the devices: `image` uint8 [B, S, S, 3],
  `label`, `true_label` and `index` int32 [B]. The compiler inserts the
  communication, since losses compare all rows with all rows.

  A step diverges if its loss, one of the loss's terms, the gradient or the new
  state is not finite. It then changes the number of the step alone, and the
  report says so.

  Args:
    graphdef: the network's static definition.
    method: computes the loss.
    optimizer: turns gradients into updates.
    schedule: maps the step to the learning rate, for the log.
    epoch_info_at: maps the number of steps taken to the next step's epoch.
    seed: below 2**32. The seed and the step number determine all random
      draws. The compiled program is the same for all seeds.
    placement: the devices.
    augmentation: the transforms of views; by default those of the papers.
    shardings: where the arrays of the state are stored, see
      `state.state_shardings`; None stores all of them on every device.
  """
  views = [make_view(name, augmentation) for name in method.views]
  compute_loss = _make_loss(graphdef, method, views, placement)

  def train_step(
    train_state: TrainState, batch: DeviceBatch, seed: jax.Array
  ) -> tuple[TrainState, StepReport]:
    # The key depends on the seed and the step only, so a resumed run draws
    # what an uninterrupted one does.
    key = jax.random.fold_in(jax.random.key(seed), train_state.step)
    epoch_info = epoch_info_at(train_state.step)
    (loss, (extras, batch_stats)), grads = jax.value_and_grad(
      compute_loss, has_aux=True
    )(train_state.params, train_state, batch, epoch_info, key)
    new_state = _update(
      optimizer, train_state, grads, batch_stats, extras.state
    )
    numbers = {
      'loss': loss,
      **extras.terms,
      'gradient_norm': optax.tree.norm(grads),
      'learning_rate': schedule(train_state.step),
    }
    shares = partner_metrics(
      extras.partners,
      batch['true_label'],
      _visible_labels(batch),
      epoch_info.num_known,
    )
    report = _make_report(numbers, shares, new_state)
    return take_step_if(report.taken, train_state, new_state), report

  stored = _stored(shardings, placement)
  program = _compile(train_step, (stored, placement.replicated), placement)
  return SeededStep(program, seed, placement)


def _make_loss(
  graphdef: nnx.GraphDef,
  method: Method,
  views: Sequence[View],
  placement: Placement,
) -> Callable[..., tuple[jax.Array, tuple[LossExtras, BatchStats]]]:
  """Returns the function of the parameters that a step differentiates.

  The function also takes the state, the batch, the epoch and the step's key. It
  returns the loss, what the method returned beside it, and the new statistics.
  """

  def compute_loss(
    params: Params,
    train_state: TrainState,
    batch: DeviceBatch,
    epoch_info: EpochInfo,
    key: jax.Array,
  ) -> tuple[jax.Array, tuple[LossExtras, BatchStats]]:
    method_key, *view_keys = jax.random.split(key, 1 + len(views))
    # NNX updates variables in place. Inside the gradient's trace JAX allows
    # that only for a copy.
    model = nnx.merge(graphdef, params, train_state.batch_stats, copy=True)
    outputs = tuple(
      forward_view(model, batch['image'], view, view_key)
      for view, view_key in zip(views, view_keys, strict=True)
    )
    loss, extras = method.loss(
      Context(
        outputs=outputs,
        labels=_visible_labels(batch),
        epoch_info=epoch_info,
        state=train_state.method_state,
        key=method_key,
        mesh=placement.mesh,
      )
    )
    return loss, (extras, nnx.state(model, nnx.BatchStat))

  return compute_loss


def _visible_labels(batch: DeviceBatch) -> VisibleLabels:
  """Returns the fields of a batch that a loss sees: no true labels."""
  return VisibleLabels(label=batch['label'], index=batch['index'])


def _update(
  optimizer: optax.GradientTransformation,
  train_state: TrainState,
  grads: Params,
  batch_stats: BatchStats,
  method_state: Any,
) -> TrainState:
  """Returns the state after a step along a gradient."""
  updates, opt_state = optimizer.update(
    grads, train_state.opt_state, train_state.params
  )
  # Any, since optax declares the type of any tree.
  params: Any = optax.apply_updates(train_state.params, updates)
  return TrainState(
    step=train_state.step + 1,
    params=params,
    batch_stats=batch_stats,
    opt_state=opt_state,
    method_state=method_state,
  )


def _make_report(
  numbers: dict[str, Any], shares: dict[str, jax.Array], new_state: TrainState
) -> StepReport:
  """Returns the report of a step; its numbers and its state may diverge."""
  finite = {name: jnp.isfinite(x) for name, x in numbers.items()}
  finite |= finite_parts(new_state)
  taken = jnp.all(jnp.stack(list(finite.values())))
  return StepReport(numbers=numbers, shares=shares, finite=finite, taken=taken)


def forward_view(
  model: Classifier, image: jax.Array, view: View, key: jax.Array
) -> Outputs:
  """Returns the network's outputs for a random view of a batch.

  Args:
    model: the network; its batch statistics are updated.
    image: uint8 [B, S, S, 3].
    view: the transforms and their probabilities.
    key: determines the view and the dropout.
  """
  augment_key, dropout_key = jax.random.split(key)
  images = augment.random_view(augment_key, image, view)
  return model.classify_images(images, train=True, key=dropout_key)


def make_end_epoch(
  graphdef: nnx.GraphDef,
  method: Method,
  epoch_info_at: Callable[[jax.Array], EpochInfo],
  placement: Placement,
  shardings: TrainState | None = None,
) -> Callable[[TrainState], TrainState]:
  """Returns the compiled function that ends an epoch: state -> state.

  It lets the method change its state and the network's head. The arguments are
  those of `make_train_step`.
  """

  def end_epoch(train_state: TrainState) -> TrainState:
    model = nnx.merge(
      graphdef, train_state.params, train_state.batch_stats, copy=True
    )
    # The step before this one was the last of the epoch that ends.
    epoch_info = epoch_info_at(train_state.step - 1)
    method_state, head = method.end_epoch(
      train_state.method_state, model.get_head(), epoch_info
    )
    model.set_head(head)
    _, params, batch_stats = split_network(model)
    return dataclasses.replace(
      train_state,
      params=params,
      batch_stats=batch_stats,
      method_state=method_state,
    )

  return _compile(end_epoch, _stored(shardings, placement), placement)


def _stored(
  shardings: TrainState | None, placement: Placement
) -> TrainState | jax.NamedSharding:
  """Returns the shardings of a state, or one for all of its arrays."""
  return placement.replicated if shardings is None else shardings


def _compile(
  function: Callable[P, R], shardings: Any, placement: Placement
) -> Callable[P, R]:
  # Donate the state, so that the device holds one copy. State the shardings of
  # the results: with other ones the next step would compile again.
  return compile_together(
    jax.jit(
      function,
      donate_argnums=0,
      out_shardings=shardings,
      compiler_options=compiler_options(placement),
    )
  )
