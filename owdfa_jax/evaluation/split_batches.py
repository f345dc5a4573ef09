"""The images of a split in evaluation batches, with their progress shown."""

from collections.abc import Iterator

import jax
import numpy as np

from input_pipeline import pipeline
from input_pipeline.batches import Batch
from input_pipeline.dataset import PackedDataset
from input_pipeline.progress_bars import progress_bar
from owdfa_jax import parallel
from owdfa_jax.experiment import Experiment


def split_batches(
  experiment: Experiment,
  split: str,
  rows: np.ndarray | None = None,
  dataset: PackedDataset | None = None,
) -> Iterator[Batch]:
  """Yields this process's part of each batch.

  Args:
    experiment: the run.
    split: 'train' or 'test'.
    rows: int [N], the rows to read; None reads all.
    dataset: the images; None for those of the run.
  """
  config, dataset = experiment.config, dataset or experiment.dataset
  # Each device gets the same number of rows.
  size = parallel.round_up(config.eval.batch_size, experiment.placement)
  batches = pipeline.evaluation_batches(
    dataset,
    split,
    rows=rows,
    batch_size=size,
    own_rows=experiment.placement.own_rows,
    num_threads=config.data.num_threads,
  )
  total = len(getattr(dataset, split)) if rows is None else len(rows)
  with progress_bar(
    'evaluate',
    total,
    'image',
    shown=jax.process_index() == 0,
    # It may stand below the bar of a training.
    leave=False,
  ) as bar:
    for done, batch in zip(range(0, total, size), batches, strict=True):
      yield batch
      # Of all processes; the last batch is filled up.
      bar.update(min(size, total - done))
