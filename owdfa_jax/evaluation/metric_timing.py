"""Command that times the metrics on predictions drawn at random.

`owdfa metric-timing --predictions=100000,1000000 --classes=40,400` needs no
data: 7 of 10 predictions are drawn right, the rest at random.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from input_pipeline.argument_parser import ArgumentParser
from input_pipeline.errors import one_line_errors
from input_pipeline.number_ranges import add_whole_numbers, whole
from input_pipeline.progress_bars import progress_line
from input_pipeline.text_tables import aligned

_PREDICTIONS = whole(2, 10**8)
_CLASSES = whole(2, 10**4)
_ROUNDS = 3
_RIGHT = 0.7


@one_line_errors()
def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Runs the command.

  Args:
    argv: the arguments; None: those of the process.
    prog: the command's name in the help; None: the module's.
  """
  parser = ArgumentParser(
    prog=prog or 'python -m owdfa_jax.evaluation.metric_timing',
    description='Times the metrics on predictions drawn at random.',
  )
  add_whole_numbers(
    parser, '--predictions', '100000,1000000', _PREDICTIONS, 'predictions'
  )
  add_whole_numbers(parser, '--classes', '40,400', _CLASSES, 'classes')
  options = parser.parse_args(argv)
  rows = [
    (str(n), str(k), *(f'{s:.2f}' for s in time_metrics(n, k)))
    for n in options.predictions
    for k in options.classes
  ]
  header = ('predictions', 'classes', 'metrics, s', 'intervals, s')
  print(aligned(header, rows, 'rrrr'))


def time_metrics(num_predictions: int, num_classes: int) -> tuple[float, float]:
  """Returns the seconds of the metrics, and of their bootstrap intervals.

  The metrics are taken three times, and the median counts; the intervals once.

  Args:
    num_predictions: N, at least 2.
    num_classes: K, at least 2. The first half of them is known, the first real.
  """
  progress_line(
    f'timing {num_predictions} predictions of {num_classes} classes'
  )
  # Imported late, so that --help answers at once.
  from owdfa_jax.evaluation import metrics, resampling
  from owdfa_jax.evaluation.weighted_figures import MeasuredRows

  draws = np.random.default_rng(0)
  label = draws.integers(0, num_classes, num_predictions)
  other = draws.integers(0, num_classes, num_predictions)
  predicted = np.where(draws.random(num_predictions) < _RIGHT, label, other)
  rows = MeasuredRows(
    unit=np.arange(num_predictions),
    true_label=label,
    predicted=predicted,
    confidence=draws.random(num_predictions, np.float32),
    is_fake=label > 0,
    fake_probability=draws.random(num_predictions, np.float32),
  )
  known = num_classes // 2
  taken = [
    _seconds(
      lambda: metrics.open_world_metrics(
        rows.true_label,
        rows.predicted,
        rows.confidence,
        known,
        is_fake=rows.is_fake,
        fake_probability=rows.fake_probability,
      )
    )
    for _ in range(_ROUNDS)
  ]
  intervals = _seconds(lambda: resampling.bootstrap_intervals(rows, known))
  return statistics.median(taken), intervals


def _seconds(work: Callable[[], Any]) -> float:
  start = time.perf_counter()
  work()
  return time.perf_counter() - start


if __name__ == '__main__':
  main()
