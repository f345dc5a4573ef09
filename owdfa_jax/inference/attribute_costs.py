"""Times attributing files and evaluating the same images packed, in turns."""

import dataclasses
import pathlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from input_pipeline import features, pipeline
from input_pipeline.image_folders import FolderScan
from input_pipeline.text_tables import aligned
from owdfa_jax import parallel
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.evaluation.seen_sources import attach_sources
from owdfa_jax.experiment import Experiment
from owdfa_jax.inference.attribute import write_attribution
from owdfa_jax.inference.prepare import prepare_run
from owdfa_jax.inference.run import TrainedRun
from owdfa_jax.inference.tables import NUM_NEAREST

ATTRIBUTION = 'attribution of files'
EVALUATION = 'evaluation'
IN_MEMORY = 'evaluation, decoded before'


@dataclasses.dataclass(frozen=True)
class Turn:
  """What one pass over the images took.

  Attributes:
    images: their number.
    seconds: by the clock.
    processor: seconds of all processors.
  """

  images: int
  seconds: float
  processor: float


def time_turns(
  experiment: Experiment, folder: pathlib.Path, images: int, rounds: int
) -> dict[str, list[Turn]]:
  """Returns the turns of each way, one a round.

  Args:
    experiment: a run with its packed images, which were packed whole.
    folder: an empty folder, for the files and the tables.
    images: how many training images at most.
    rounds: in each of them every way has a turn; one more goes before, in which
      the programs are compiled.
  """
  experiment = prepare_run(experiment)
  rows = np.arange(min(images, len(experiment.dataset.train)))
  paths = write_files(experiment, rows, folder)
  ways: dict[str, Callable[[], None]] = {
    EVALUATION: evaluation_pass(experiment, rows, cache_bytes=0),
    ATTRIBUTION: attribution_pass(experiment, paths, folder / 'table.csv'),
    IN_MEMORY: evaluation_pass(
      experiment, rows, cache_bytes=pipeline.CACHE_BYTES
    ),
  }
  turns: dict[str, list[Turn]] = {name: [] for name in ways}
  for number in range(rounds + 1):
    for name, way in ways.items():
      start, processor = time.perf_counter(), time.process_time()
      way()
      turn = Turn(
        len(rows),
        time.perf_counter() - start,
        time.process_time() - processor,
      )
      if number:
        turns[name].append(turn)
  return turns


def write_files(
  experiment: Experiment, rows: np.ndarray, folder: pathlib.Path
) -> list[str]:
  """Writes packed training images as files; returns their paths, sorted.

  Args:
    experiment: the run.
    rows: int [N], of the training split.
    folder: gets the files.
  """
  source = experiment.dataset.train.source
  paths = []
  for row in rows.tolist():
    image = features.decode_record(source[row]).image
    suffix = 'png' if image.startswith(b'\x89PNG') else 'jpg'
    path = folder / f'{row:07}.{suffix}'
    path.write_bytes(image)
    paths.append(str(path))
  return paths


def evaluation_pass(
  experiment: Experiment, rows: np.ndarray, cache_bytes: int
) -> Callable[[], None]:
  """Returns what predicts for packed images, as an evaluation does.

  Args:
    experiment: the run.
    rows: int [N], of the training split.
    cache_bytes: see `pipeline.evaluation_batches`.
  """
  restored, _ = attach_sources(experiment, restore_network(experiment))
  config = experiment.config

  def run() -> None:
    batches = pipeline.evaluation_batches(
      experiment.dataset,
      'train',
      rows=rows,
      batch_size=parallel.round_up(
        config.eval.batch_size, experiment.placement
      ),
      num_threads=config.data.num_threads,
      cache_bytes=cache_bytes,
    )
    restored.predictor.predict(restored.params, restored.batch_stats, batches)

  return run


def attribution_pass(
  experiment: Experiment, paths: Sequence[str], table: pathlib.Path
) -> Callable[[], None]:
  """Returns what attributes files, as `owdfa attribute` does.

  Args:
    experiment: the run.
    paths: of the images.
    table: the path of the table, which is replaced.
  """
  run, scan = TrainedRun(experiment), FolderScan([*paths])
  options = {
    'max_pixels': None,
    'stability': False,
    'nearest': NUM_NEAREST,
    'faces': False,
  }

  def attribute() -> None:
    write_attribution(run, experiment, scan, table, options)

  return attribute


def costs_report(turns: Mapping[str, Sequence[Turn]]) -> str:
  """Returns a table of the medians, and of their ratio to the evaluation's.

  Args:
    turns: what `time_turns` returns.
  """
  rows = []
  for name, mine in turns.items():
    pairs = [*zip(turns[EVALUATION], mine, strict=True)]
    speed = statistics.median(x.images / x.seconds for x in mine)
    cost = statistics.median(1e3 * x.processor / x.images for x in mine)
    by_clock = statistics.median(x.seconds / y.seconds for x, y in pairs)
    by_cost = statistics.median(x.processor / y.processor for x, y in pairs)
    rows.append(
      (name, f'{speed:.0f}', f'{by_clock:.2f}', f'{cost:.3f}', f'{by_cost:.2f}')
    )
  header = ('', 'images/s', 'of eval.', 'processor ms/image', 'of eval.')
  return aligned(header, rows, 'lrrrr')
