"""The training loop: steps, epochs, evaluations and checkpoints."""

import contextlib
import dataclasses

import grain
import jax

from input_pipeline import pipeline
from input_pipeline.batches import Batch
from input_pipeline.errors import UserError
from owdfa_jax.experiment import Experiment, read_pseudo_label
from owdfa_jax.settings import validation_share
from owdfa_jax.training.checkpoints import Checkpoints
from owdfa_jax.training.divergence import (
  Divergence,
  check_evaluation,
  check_restored,
  skipped_before,
)
from owdfa_jax.training.evaluator import Evaluator, MakeEvaluator
from owdfa_jax.training.initial_weights import load_initial_weights
from owdfa_jax.training.interrupt import Interrupt
from owdfa_jax.training.progress import Progress, say
from owdfa_jax.training.run_lines import memory_line, start_line
from owdfa_jax.training.setup import Training, set_up_training
from owdfa_jax.training.state import (
  TrainState,
  abstract_state,
  create_state,
  state_shardings,
)
from owdfa_jax.training.step_profile import StepProfile
from owdfa_jax.training.workdir import (
  claim_workdir,
  open_workdir,
  say_older_report,
)
from owdfa_jax.training.writers import Writers, check_loggers


def train(experiment: Experiment, make_evaluator: MakeEvaluator) -> int:
  """Trains from the latest checkpoint in the workdir to the last epoch.

  Args:
    experiment: what `experiment.set_up` returns.
    make_evaluator: makes the evaluator that is called after an epoch.

  Returns:
    0 once the last epoch is complete. If a signal stopped the run early, the
    exit status that stands for the signal; the run is then saved, and the same
    command resumes it.

  Raises:
    UserError: the data is damaged, the workdir cannot be written, it holds
      another run or a damaged checkpoint, another process trains there, or
      the training diverged.
  """
  config, placement = experiment.config, experiment.placement
  check_loggers(config, experiment.workdir)
  training = set_up_training(experiment)
  evaluator = make_evaluator(experiment, training.graphdef)
  with (
    open_workdir(experiment),
    Checkpoints(experiment.workdir) as checkpoints,
  ):
    start, total = checkpoints.latest_step() or 0, training.num_steps
    check_epochs(config.epochs, start, training.steps_per_epoch)
    if start == total:
      claim_workdir(experiment)
      checkpoints.remove_others()
      say(f'already complete: {config.epochs} epochs, {total} steps')
      return 0
    state = restore_or_initialise(experiment, training, checkpoints)
    claim_workdir(experiment)
    say_older_report(experiment.workdir)
    say(start_line(experiment, training, state.params, start))
    skipped = skipped_before(experiment.workdir, start)
    divergence = Divergence(experiment, total, skipped, checkpoints.latest_step)
    with (
      contextlib.closing(open_batches(experiment, start)) as batches,
      Writers(experiment.workdir, config, start) as writers,
      Progress(
        writers, divergence, start, total, config.log.every_steps
      ) as progress,
      StepProfile(
        experiment.workdir, config.log.profile, start, progress.finish_step
      ) as profile,
      Interrupt(checkpoints.preemption_check()) as interrupt,
      # Implicit transfers stall the device. `put_batch` allows its own.
      jax.transfer_guard_host_to_device('disallow'),
    ):
      for step in range(start + 1, total + 1):
        batch = placement.put_batch(progress.next_batch(batches))
        with profile.step(step):
          # `train_step` donates `state`. Keep no reference to the old one.
          state, report = training.train_step(state, batch)
          progress.count_step(step, report)
        if step % training.steps_per_epoch == 0:
          progress.finish_step()
          state = training.end_epoch(state)
          metrics = _evaluate(experiment, training, evaluator, step, state)
          if metrics is not None:
            progress.record_evaluation(step, metrics)
          writers.flush()  # a run that resumes needs the lines up to here
          checkpoints.save(step, state, metrics)
          progress.restart_clock()
        if interrupt.requested(step):
          progress.finish_step()
          writers.flush()
          _save_early(checkpoints, step, state, total)
          say_older_report(experiment.workdir)
          return interrupt.exit_status
    divergence.say_total()
  say(memory_line())
  return 0


def _evaluate(
  experiment: Experiment,
  training: Training,
  evaluator: Evaluator,
  step: int,
  state: TrainState,
) -> dict[str, float | None] | None:
  """Returns the metrics after an epoch; None if it is not to be evaluated."""
  config, epoch = experiment.config, step // training.steps_per_epoch
  if epoch % config.eval.every_epochs and step != training.num_steps:
    return None
  result = evaluator.evaluate_epoch(step, state)
  check_evaluation(result.metrics, step, experiment.workdir)
  say(f'epoch {epoch}/{config.epochs}  {result.summary}')
  return result.metrics


def _save_early(
  checkpoints: Checkpoints, step: int, state: TrainState, total: int
) -> None:
  """Saves a run that a signal stops, and says so."""
  # At an epoch's end this step is saved already, with its metrics. `save` then
  # does nothing.
  checkpoints.save(step, state)
  checkpoints.wait()
  say(
    f'stopped by a signal: step {step} of {total} is saved; run the same '
    'command again to resume',
    always=True,
  )


def check_epochs(epochs: int, start: int, steps_per_epoch: int) -> None:
  """Raises `UserError` if the run has trained more than `epochs` already.

  Args:
    epochs: the number of epochs that the config asks for.
    start: the step of the latest checkpoint, 0 if there is none.
    steps_per_epoch: steps of one epoch.
  """
  if start > epochs * steps_per_epoch:
    raise UserError(
      f'too few epochs: --config.epochs={epochs} is fewer than the '
      f'{start / steps_per_epoch:g} epochs already trained; give at least as '
      'many, or another --workdir'
    )


def restore_or_initialise(
  experiment: Experiment, training: Training, checkpoints: Checkpoints
) -> TrainState:
  """Returns the state to train from.

  The order matters: a resumed run must not read its initial weights again.
  1. The latest checkpoint of the workdir, if there is one.
  2. Otherwise the weights named by `model.init`, if any, in a new state.
  3. Otherwise the new state as it is.

  Args:
    experiment: the run.
    training: creates the run's new state.
    checkpoints: the checkpoints in the run's workdir.

  Raises:
    UserError: the checkpoint or the initial weights are not finite, or cannot
      be read.
  """
  config, placement = experiment.config, experiment.placement
  step = checkpoints.latest_step()
  if step is not None:
    say(f'resuming after step {step}')
    # No new state is created, so that resuming needs no more memory than
    # training does.
    target = abstract_state(training.init, placement)
    state = checkpoints.restore(step, target)
    check_restored(state, step, experiment.workdir)
    return state
  if not config.model.init:
    return create_state(training.init, config.seed, placement)
  # Weights are read on the host, where each process needs all of them.
  whole = dataclasses.replace(placement, state_shards=1)
  state = load_initial_weights(
    config.model.init,
    create_state(training.init, config.seed, whole),
    with_head=config.model.init_head,
  )
  shardings = state_shardings(training.init, placement)
  return jax.jit(lambda state: state, out_shardings=shardings)(state)


def open_batches(
  experiment: Experiment, start: int
) -> grain.DatasetIterator[Batch]:
  """Returns this process's rows of the training batches from step `start` on.

  The stream is a function of the seed and the step, so a resumed run reads
  the batches that an uninterrupted run would read.
  """
  config = experiment.config
  return pipeline.train_batches(
    experiment.dataset,
    batch_size=config.batch_size,
    seed=config.seed,
    supervision=config.data.supervision,
    validation_share=validation_share(config),
    pseudo_label=read_pseudo_label(experiment),
    start_step=start,
    own_rows=experiment.placement.own_rows,
    num_threads=config.data.num_threads,
    num_workers=config.data.num_workers,
  )
