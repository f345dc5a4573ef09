"""Finds the whitened centres of a run's checkpoint, where none are on file.

With `eval.classify_by='centres'` they classify in place of the network's head.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from owdfa_jax.discovery.discover import Sources, find_sources
from owdfa_jax.evaluation.centres import Centres
from owdfa_jax.evaluation.centres_file import (
  CENTRES,
  belongs_to,
  read_centres,
  write_centres,
)
from owdfa_jax.evaluation.evaluate import evaluate
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.evaluation.seen_sources import ensure_sources
from owdfa_jax.experiment import Experiment
from owdfa_jax.parallel import from_first_process, write_in_first_process
from owdfa_jax.training.progress import say
from owdfa_jax.training.run_data import write_run_data


def evaluate_run(experiment: Experiment) -> dict[str, Any]:
  """Evaluates a run's checkpoint; finds its centres and sources if need be.

  Args:
    experiment: a trained run.

  Returns:
    The content of `report.json`.

  Raises:
    UserError: see `evaluate`; or a file of centres or sources is damaged or
      cannot be written.
  """
  if jax.process_index() == 0:
    # Runs of earlier versions lack it.
    write_run_data(experiment)
  ensure_centres(experiment)
  ensure_sources(experiment)
  return evaluate(experiment)


def ensure_centres(experiment: Experiment) -> None:
  """Writes the centres of the checkpoint that `eval.checkpoint` names.

  Does nothing if the head classifies, or if the file has centres of this
  checkpoint and of these settings.

  Args:
    experiment: a trained run.

  Raises:
    UserError: there is no such checkpoint, or the file is damaged or cannot be
      written.
  """
  config, workdir = experiment.config, experiment.workdir
  if config.eval.classify_by != 'centres':
    return
  restored = restore_network(experiment, by_head=True)
  path = CENTRES.path(workdir, restored.step)
  found = read_centres(workdir, restored.step)
  belongs = found is not None and belongs_to(found, restored.folder, config)
  # A file that another process has just written may not be seen at once.
  if from_first_process(belongs):
    return
  if found is not None:
    say(f'{path} is of another network or another eval.whitening: made anew')
  sources = find_sources(experiment, restored, config.eval.whitening)
  centres = name_centres(sources, experiment.num_outputs)
  made = {'setting': config.eval.whitening, **sources.choice.report()}
  write_in_first_process(
    'centres', lambda: write_centres(workdir, restored.folder, centres, made)
  )
  say(f'written: {path}')


def name_centres(sources: Sources, num_outputs: int) -> Centres:
  """Returns the centres in the order of the network's outputs.

  Args:
    sources: what `find_sources` returned.
    num_outputs: the number of the network's outputs, those out of use included.
  """
  found = np.asarray(sources.clusters.centres)
  direction = np.zeros((num_outputs, found.shape[1]), np.float32)
  direction[sources.output] = found
  in_use = np.zeros(num_outputs, bool)
  in_use[sources.output] = True
  return Centres(
    jax.device_get(sources.whitening),
    jnp.asarray(direction),
    jnp.asarray(in_use),
  )
