"""Command that times variants of a training step in turns.

  python -m owdfa_jax.training.compare_steps --config=trace:simulated1 \
    '' 'XLA_FLAGS=--xla_cpu_prefer_vector_width=512' 'model.dtype=bfloat16'

Each variant is one word of NAME=value parts with blanks between them. Names in
capitals are variables of the environment, others fields of the config; PYTHON
is the interpreter and PYTHONPATH another checkout. The first variant is what
the others are compared with; '' changes nothing.

Every variant is a process of its own, which compiles the step once. The
processes then take turns for some rounds, so that other load on the machine
affects them alike. Begin with `taskset -c 1` to keep all of them on one core.
"""

import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
from collections.abc import Sequence

from input_pipeline.argument_parser import described_parser
from input_pipeline.errors import (
  UsageError,
  UserError,
  one_line_errors,
  reworded,
)
from input_pipeline.escape import shortened
from input_pipeline.number_ranges import check_flags, whole
from input_pipeline.progress_bars import progress_line
from input_pipeline.text_tables import aligned
from owdfa_jax import configs

_RANGES = {
  'rounds': whole(1, 10**4),
  'steps': whole(1, 10**4),
  'image_size': whole(8, 2**12),
}
# The name of the variant ''.
_AS_IT_IS = 'as it is'
_ROOT = pathlib.Path(__file__).parents[2]
# The first word of a line of `timed_step` that is no time but a mistake.
_ERRORS = {kind.__name__: kind for kind in (UserError, UsageError)}


class Variant:
  """A process that times the step with settings of its own.

  Attributes:
    name: its settings, as they were given.
    start_seconds: processor seconds of the first step, compilation included.
    seconds: of one step, from each round.
  """

  def __init__(self, name: str, config: str, image_size: int, steps: int):
    """Starts the process; `wait_for_start` comes next.

    Args:
      name: its settings.
      config: METHOD:BENCHMARK.
      image_size: S, of images of S x S pixels.
      steps: of a turn.

    Raises:
      UsageError: the settings cannot be read, or PYTHON is no program.
    """
    self.name = name
    self.start_seconds = 0.0
    self.seconds: list[float] = []
    environment, settings = split_variant(name)
    python = environment.get('PYTHON', sys.executable)
    try:
      self._process = subprocess.Popen(
        [
          python,
          # Not the current folder: PYTHONPATH says which checkout is timed.
          *('-P', '-m', 'owdfa_jax.training.timed_step'),
          *(config, str(image_size), str(steps), *settings),
        ],
        env={'PYTHONPATH': str(_ROOT), **os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C reaches this process alone, which ends the others.
        process_group=0,
      )
    except OSError as error:
      raise UsageError(
        f'cannot be run: PYTHON={python} of the variant {name!r}: '
        f'{error.strerror}; give a Python interpreter'
      ) from error

  def wait_for_start(self) -> None:
    """Waits until the first step is done.

    Raises:
      UserError: the process ends before that.
    """
    (self.start_seconds,) = self._read_numbers()[1:]

  def take_turn(self) -> None:
    """Has the process take some steps, and waits for their time.

    Raises:
      UserError: the process has ended.
    """
    assert self._process.stdin is not None
    # Of a process that has ended, `_read_numbers` says so.
    with contextlib.suppress(BrokenPipeError):
      self._process.stdin.write('\n')
      self._process.stdin.flush()
    self.seconds += self._read_numbers()

  def _read_numbers(self) -> list[float]:
    """Returns the numbers of the next line that the process prints."""
    assert self._process.stdout is not None
    line = self._process.stdout.readline()
    first, _, message = line.strip().partition(' ')
    if first in _ERRORS:
      raise _ERRORS[first](f'the variant {self.name!r}: {message}')
    if not line:
      self._process.communicate()
      raise UserError(
        f'the variant {self.name!r} ended early, with status '
        f'{self._process.returncode}; see what it printed'
      )
    try:
      return [float(word) for word in line.split()]
    except ValueError as error:
      raise UserError(
        f'the variant {self.name!r} printed {shortened(line.strip())!r}, not a '
        'time; correct its PYTHON or PYTHONPATH'
      ) from error

  def close(self) -> None:
    """Ends the process, even while it compiles."""
    self._process.kill()
    self._process.communicate()


def shipped_config(value: str) -> str:
  """Returns the config that --config names, as METHOD:BENCHMARK.

  Args:
    value: METHOD:BENCHMARK or, as for main.py, configs/METHOD.py:BENCHMARK.

  Raises:
    UsageError: no such config comes with the package.
  """
  file, _, benchmark = value.partition(':')
  name = file.removeprefix('configs/').removesuffix('.py')
  with reworded(
    {
      f'config={name};': f'config={file};',
      'value: config=': 'value: --config=',
      'value: benchmark=': f'value: --config={name}:',
      'value: method=': f'value: --config={name}:',
    }
  ):
    configs.load(name, benchmark)
  return f'{name}:{benchmark}'


def split_variant(text: str) -> tuple[dict[str, str], list[str]]:
  """Splits a variant into variables of the environment and settings.

  Args:
    text: 'NAME=value ...'. Values that begin with dashes may follow each other:
      'XLA_FLAGS=--a=1 --b=2'.

  Raises:
    UsageError: a part has no name or no value.
  """
  environment: dict[str, str] = {}
  settings: list[str] = []
  last = ''
  for part in text.split():
    name, equals, value = part.partition('=')
    if part.startswith('--') and last:
      environment[last] += f' {part}'
    elif not equals or part.startswith('--'):
      raise UsageError(
        f'not a setting: {part!r} of a variant; write NAME=value'
      )
    elif name.isupper():
      environment[name], last = value, name
    else:
      settings.append(part)
  return environment, settings


def comparison_table(variants: Sequence[Variant]) -> str:
  """Returns a table of what `Variant.seconds` says.

  How many times as fast a variant is as the first one is computed for each
  round. The table has the median of that, and the range of its middle half.
  """
  base = variants[0].seconds
  rows = []
  for variant in variants:
    ratios = [a / b for a, b in zip(base, variant.seconds, strict=True)]
    low, high = ratios[0], ratios[0]
    if len(ratios) > 1:
      low, _, high = statistics.quantiles(ratios, n=4, method='inclusive')
    rows.append(
      [
        variant.name or _AS_IT_IS,
        f'{1000 * statistics.median(variant.seconds):.1f}',
        f'{statistics.median(ratios):.2f}',
        f'{low:.2f} to {high:.2f}',
        f'{variant.start_seconds:.1f}',
      ]
    )
  header = ['variant', 'ms', 'times as fast', 'middle half', 'first step s']
  return aligned(header, rows, 'lrrrr')


@one_line_errors()
def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Parses the command line, times the variants and prints a table.

  Args:
    argv: the arguments; by default those of the process.
    prog: the program's name.
  """
  parser = described_parser(
    prog or 'python -m owdfa_jax.training.compare_steps', __doc__
  )
  add = parser.add_argument
  add('variants', nargs='+', metavar='VARIANT', help='NAME=value ...')
  add('--config', required=True, help='METHOD:BENCHMARK')
  add('--rounds', type=int, default=15, help='default: %(default)s')
  add('--steps', type=int, default=3, help='of a turn (default: %(default)s)')
  add('--image_size', type=int, default=64, help='default: %(default)s')
  options = parser.parse_args(argv)
  check_flags(options, _RANGES)
  config = shipped_config(options.config)
  with contextlib.ExitStack() as stack:
    variants = []
    for text in options.variants:
      progress_line(f'compiling: {text or _AS_IT_IS}')
      variant = Variant(text, config, options.image_size, options.steps)
      stack.callback(variant.close)
      variant.wait_for_start()
      variants.append(variant)
    for number in range(options.rounds):
      progress_line(f'timing steps: round {number + 1} of {options.rounds}')
      for variant in variants:
        variant.take_turn()
  print(comparison_table(variants))


if __name__ == '__main__':
  main()
