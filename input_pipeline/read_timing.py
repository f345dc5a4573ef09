"""Command that times reading: threads, processes and image formats.

`python -m input_pipeline.read_timing --data PACKED` reads batches as training
does, without a network, and compares them with decoding alone. It then stores
the same images in other formats, and times those.
"""

import sys
from collections.abc import Sequence

from input_pipeline.argument_parser import ArgumentParser
from input_pipeline.errors import one_line_errors, reworded
from input_pipeline.number_ranges import add_whole_numbers, check_flags, whole
from input_pipeline.text_tables import counted

_RANGES = {'batch_size': whole(2, 2**16), 'batches': whole(1, 10**4)}
_THREADS = whole(0, 256)
_PROCESSES = whole(1, 256)
# What the settings of a run are called here.
_WORDS = {
  '--config.batch_size': '--batch_size',
  # Reading is timed as training with unlabelled images does it.
  ', or give --config.data.supervision=labelled': '',
}
# For each thread or process.
_LEAST_BATCHES = 4


@one_line_errors()
def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Runs the command.

  Args:
    argv: the arguments; None: those of the process.
    prog: the command's name in the help; None: the module's.
  """
  parser = ArgumentParser(
    prog=prog or 'python -m input_pipeline.read_timing',
    description='Times reading a packed dataset, and image formats.',
  )
  add = parser.add_argument
  add('--data', metavar='DIR', required=True, help='a packed directory')
  add(
    '--batch_size',
    type=int,
    default=128,
    help='images of a batch (default: %(default)s)',
  )
  add(
    '--batches',
    type=int,
    default=8,
    help='batches of each of five rounds; several times as many as threads or '
    'processes (default: %(default)s)',
  )
  add_whole_numbers(
    parser,
    '--threads',
    '0,1,2',
    _THREADS,
    'threads; 0 makes each batch where it is taken',
  )
  add_whole_numbers(
    parser, '--processes', '1,2', _PROCESSES, 'worker processes'
  )
  arguments = parser.parse_args(argv)
  check_flags(arguments, _RANGES)
  threads, workers = arguments.threads, arguments.processes
  most = max(*threads, *workers)
  if arguments.batches < _LEAST_BATCHES * most:
    # Those made ahead may all be ready when the clock starts.
    print(
      f'warning: too few batches to time {counted(most, "thread")} or '
      f'{counted(most, "process")}: --batches={arguments.batches}; '
      f'give {_LEAST_BATCHES * most} or more',
      file=sys.stderr,
    )
  # Imported late, so that --help and wrong arguments answer at once.
  import numpy as np

  from input_pipeline import features, read_costs
  from input_pipeline.dataset import open_dataset

  dataset = open_dataset(arguments.data)
  with reworded(_WORDS):
    speeds = read_costs.time_reading(
      dataset, arguments.batch_size, arguments.batches, threads, workers
    )
  print(read_costs.reading_report(speeds))
  count = min(len(dataset.train), arguments.batch_size * arguments.batches)
  records = dataset.train.source.read(np.arange(count))
  stored = [features.encoded_image(record) for record in records]
  side = dataset.image_size
  print(f'\nThe first {count} images of {side} x {side} pixels, one thread:')
  print(read_costs.codecs_report(read_costs.time_codecs(stored)))


if __name__ == '__main__':
  main()
