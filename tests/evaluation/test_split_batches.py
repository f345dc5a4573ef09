"""How far an evaluation's progress bar counts."""

import contextlib

import numpy as np

from helpers.runs import tiny_experiment
from owdfa_jax.evaluation import split_batches
from owdfa_jax.parallel import Placement


def test_the_bar_of_a_pod_counts_each_image_once(packed, tmp_path, monkeypatch):
  """The last batch has only rows of the first process, and is filled up."""
  experiment = tiny_experiment(packed, tmp_path, eval__batch_size=8)
  updates = []

  class Bar:
    update = updates.append

  monkeypatch.setattr(
    split_batches,
    'progress_bar',
    lambda *_, **__: contextlib.nullcontext(Bar),
  )
  monkeypatch.setattr(
    Placement, 'own_rows', lambda self, count: np.arange(count // 2)
  )
  monkeypatch.setattr(split_batches.jax, 'process_count', lambda: 2)
  rows = np.arange(20)
  list(split_batches.split_batches(experiment, 'test', rows))
  assert updates == [8, 8, 4]
