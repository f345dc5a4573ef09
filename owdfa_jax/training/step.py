"""One training step: uint8 images in, new parameters out, one program."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from owdfa_jax.losses import common, pairing
from owdfa_jax.methods.base import Clock, Method, Rows
from owdfa_jax.parallel import Placement
from owdfa_jax.training import augment
from owdfa_jax.training.state import TrainState, split

Batch = dict[str, jax.Array]
TrainStep = Callable[[TrainState, Batch], tuple[TrainState, dict]]


def make_train_step(
  graphdef: nnx.GraphDef,
  method: Method,
  tx: optax.GradientTransformation,
  schedule: optax.Schedule,
  clock_at: Callable[[jax.Array], Clock],
  seed: int,
  placement: Placement,
) -> TrainStep:
  """Returns the compiled step: (state, batch) -> (state, scalars).

  The batch is global and split over the devices; the state is replicated and
  donated. Everything between a uint8 image and the new parameters happens
  inside, so nothing waits for the host.

  Args:
    graphdef: the network's static definition.
    method: gives the loss.
    tx: the optimiser.
    schedule: its learning rate by step, for the log.
    clock_at: how far the training is after so many steps.
    seed: with the number of the step, of all that is drawn.
    placement: the devices.
  """

  def train_step(
    train_state: TrainState, batch: Batch
  ) -> tuple[TrainState, dict[str, Any]]:
    step_key = jax.random.fold_in(jax.random.key(seed), train_state.step)
    method_key, *view_keys = jax.random.split(step_key, 1 + len(method.views))
    # The one selection of what a loss may see; true labels are not in it.
    rows = Rows(label=batch['label'], index=batch['index'])
    clock = clock_at(train_state.step)

    def loss_fn(params: Any) -> tuple[jax.Array, tuple]:
      # The statistics come from outside this trace: work on a copy of them.
      model = nnx.merge(graphdef, params, train_state.batch_stats, copy=True)
      outputs = []
      for view, key in zip(method.views, view_keys, strict=True):
        augment_key, dropout_key = jax.random.split(key)
        images = augment.normalise(
          augment.augment(augment_key, batch['image'], view)
        )
        outputs.append(model(images, train=True, key=dropout_key))
      loss, result = method.loss(
        tuple(outputs), rows, clock, train_state.method, method_key
      )
      return loss, (result, nnx.state(model, nnx.BatchStat))

    (loss, (result, batch_stats)), grads = jax.value_and_grad(
      loss_fn, has_aux=True
    )(train_state.params)
    updates, opt_state = tx.update(
      grads, train_state.opt_state, train_state.params
    )
    scalars = {
      'loss': loss,
      **result.terms,
      **partner_scores(
        result.partners, batch['true_label'], rows, clock.num_known
      ),
      'gradient_norm': optax.tree.norm(grads),
      'learning_rate': schedule(train_state.step),
    }
    stepped = TrainState(
      step=train_state.step + 1,
      params=optax.apply_updates(train_state.params, updates),
      batch_stats=batch_stats,
      opt_state=opt_state,
      method=result.state,
    )
    return stepped, {f'train/{name}': x for name, x in scalars.items()}

  return jax.jit(
    train_step, donate_argnums=0, out_shardings=placement.replicated
  )


def make_end_epoch(
  graphdef: nnx.GraphDef,
  method: Method,
  clock_at: Callable[[jax.Array], Clock],
  placement: Placement,
) -> Callable[[TrainState], TrainState]:
  """Returns the compiled end of an epoch: what the method does to its state
  and to the network's head. The state is donated; the arguments are those of
  `make_train_step`.
  """

  def end_epoch(train_state: TrainState) -> TrainState:
    model = nnx.merge(
      graphdef, train_state.params, train_state.batch_stats, copy=True
    )
    method_state, head = method.end_epoch(
      train_state.method, model.get_head(), clock_at(train_state.step - 1)
    )
    model.set_head(head)
    _, params, batch_stats = split(model)
    return dataclasses.replace(
      train_state, params=params, batch_stats=batch_stats, method=method_state
    )

  return jax.jit(
    end_epoch, donate_argnums=0, out_shardings=placement.replicated
  )


def partner_scores(
  partner: dict[str, jax.Array],
  true_label: jax.Array,
  rows: Rows,
  num_known: int,
) -> dict[str, jax.Array]:
  """How often unlabelled rows are paired, and rightly; for the log alone.

  Args:
    partner: by criterion, int32 [B]; a row itself where it has none.
    true_label: int32 [B]; -1 where nobody knows.
    rows: of the batch.
    num_known: known classes; they come first.

  Returns:
    For each criterion `<name>_paired`, the share of the unlabelled rows with
    a partner; of those, `<name>_right` is the share whose partner has the same
    true label, and `<name>_right_known` and `<name>_right_novel` that of the
    known and of the novel classes' rows; NaN where there are none to judge.
  """
  unlabelled = ~rows.labelled
  judged_rows = {
    'right': unlabelled,
    'right_known': unlabelled & (true_label < num_known),
    'right_novel': unlabelled & (true_label >= num_known),
  }
  scores = {}
  for name, other in partner.items():
    paired = unlabelled & (other != jnp.arange(len(other)))
    scores[f'{name}_paired'] = common.masked_mean(paired, unlabelled)
    for judgement, mask in judged_rows.items():
      right, judged = pairing.partner_accuracy(other, true_label, mask)
      scores[f'{name}_{judgement}'] = right / judged
  return scores
