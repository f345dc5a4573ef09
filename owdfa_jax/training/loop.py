"""The training loop: steps, epochs, checkpoints, the log."""

import contextlib

import jax

from input_pipeline import pipeline
from input_pipeline.errors import UserError
from owdfa_jax.evaluation import evaluate, report
from owdfa_jax.experiment import (
  Experiment,
  read_pseudo_label,
  validation_share,
)
from owdfa_jax.methods.base import Calendar
from owdfa_jax.training import optimizers, step
from owdfa_jax.training import state as state_lib
from owdfa_jax.training.checkpoints import Checkpoints
from owdfa_jax.training.initial import start_from
from owdfa_jax.training.interrupt import Interrupt
from owdfa_jax.training.progress import Progress, say
from owdfa_jax.training.workdir import claim_workdir
from owdfa_jax.training.writers import Writers


def train(experiment: Experiment) -> int:
  """Trains from where the workdir stands to the last epoch.

  Args:
    experiment: as `experiment.set_up` returns it.

  Returns:
    0 when the last epoch is reached. When a signal ended it early, after a
    checkpoint that the same command resumes from, the exit status that tells
    a shell so.

  Raises:
    UserError: the data is damaged or the workdir cannot be written.
  """
  config, dataset = experiment.config, experiment.dataset
  placement = experiment.placement
  claim_workdir(experiment)
  epoch_steps = pipeline.steps_per_epoch(dataset, config.batch_size)
  total = config.epochs * epoch_steps
  tx, schedule = optimizers.make_optimizer(
    **config.optimizer, epochs=config.epochs, steps_per_epoch=epoch_steps
  )
  graphdef, state = state_lib.initialise(
    experiment.build,
    experiment.method,
    experiment.num_outputs,
    tx,
    num_examples=len(dataset.train),
    seed=config.seed,
    placement=placement,
  )
  clock_at = Calendar(dataset.num_known, config.epochs, epoch_steps)
  train_step = step.make_train_step(
    graphdef, experiment.method, tx, schedule, clock_at, config.seed, placement
  )
  end_epoch = step.make_end_epoch(
    graphdef, experiment.method, clock_at, placement
  )
  evaluator = evaluate.Evaluator(experiment, graphdef)

  with Checkpoints(experiment.workdir) as checkpoints:
    start = checkpoints.latest() or 0
    check_epochs(config.epochs, start, epoch_steps)
    if start == total:
      say(f'complete already: {config.epochs} epochs, {total} steps')
      return 0
    if start:
      state = checkpoints.restore(start, state)
      say(f'resuming after step {start} of {total}')
    elif config.model.init:
      state = start_from(
        config.model.init, state, with_head=config.model.init_head
      )
    batches = pipeline.train_batches(
      dataset,
      batch_size=config.batch_size,
      seed=config.seed,
      supervision=config.data.supervision,
      validation_share=validation_share(config),
      pseudo_label=read_pseudo_label(experiment),
      start_step=start,
      process_index=jax.process_index(),
      process_count=jax.process_count(),
      num_threads=config.data.num_threads,
      num_workers=config.data.num_workers,
    )
    with (
      contextlib.closing(batches),
      Writers(experiment.workdir, config, start) as writers,
      Progress(writers, start, total, config) as progress,
      Interrupt(checkpoints.preemption()) as interrupt,
      # Whatever a step needs from the host, `put_batch` brings.
      jax.transfer_guard_host_to_device('disallow'),
    ):
      for done in range(start + 1, total + 1):
        batch = placement.put_batch(progress.next_batch(batches))
        state, scalars = train_step(state, batch)
        progress.step(done, scalars)
        if done % epoch_steps == 0:
          epoch = done // epoch_steps
          state = end_epoch(state)
          metrics = None
          if epoch % config.eval.every_epochs == 0 or done == total:
            metrics = evaluator.judge(done, state)
            progress.evaluation(done, metrics)
            say(f'epoch {epoch}/{config.epochs}  {report.headline(metrics)}')
          checkpoints.save(done, state, metrics)
          progress.restart_clock()
        if interrupt.requested(done):
          checkpoints.save(done, state)
          say(
            f'stopped by a signal; step {done} of {total} is saved: '
            'the same command goes on from there'
          )
          return interrupt.exit_status
  return 0


def check_epochs(epochs: int, start: int, epoch_steps: int) -> None:
  """`UserError` for fewer epochs than the run has done already."""
  if start > epochs * epoch_steps:
    raise UserError(
      f'the run is further than that: --config.epochs={epochs}, but '
      f'{start / epoch_steps:g} epochs are done; give at least as many, or '
      'another --workdir'
    )
