"""The console command: `owdfa COMMAND ...`."""

import importlib
import sys
from typing import NamedTuple

from input_pipeline.errors import UsageError, did_you_mean, one_line_errors
from owdfa_jax import __version__
from owdfa_jax.commands.words import take_flag


class Command(NamedTuple):
  """One command of `owdfa`.

  Attributes:
    summary: what it does, in one line.
    module: where its function `main(argv, prog)` is; imported only to run it.
    arguments: given before the user's.
  """

  summary: str
  module: str
  arguments: tuple[str, ...] = ()


_RUN = 'owdfa_jax.commands.run'
COMMANDS = {
  'simulate': Command(
    'Makes simulated forgeries to try things out on.',
    'input_pipeline.simulate.__main__',
  ),
  'prepare': Command(
    'Makes the CSV of a benchmark, or of your own folders of images.',
    'input_pipeline.prepare',
  ),
  'pack': Command(
    'Packs the images of a CSV into the files that training reads.',
    'input_pipeline.pack',
  ),
  'discover': Command(
    'Finds the sources of a heap of images, from folders or with a run.',
    'owdfa_jax.commands.discover',
  ),
  'train': Command(
    'Trains a network and evaluates it; the same command resumes.',
    _RUN,
    ('--mode=train',),
  ),
  'eval': Command('Evaluates a checkpoint.', _RUN, ('--mode=eval',)),
  'attribute': Command(
    'Names the source of each new image, in a table.',
    _RUN,
    ('--mode=attribute',),
  ),
  'report': Command(
    'Draws the page of an evaluated run, report.html; compares two runs.',
    'owdfa_jax.page.report_command',
  ),
  'export': Command(
    'Writes the network of a run as a program that plain JAX runs.',
    'owdfa_jax.export.export_command',
  ),
  'names': Command(
    'Shows the found clusters of a run, and gives them names.',
    'owdfa_jax.commands.names',
  ),
  'overview': Command(
    'Draws images of each source, and where an evaluated run put them.',
    'owdfa_jax.evaluation.overview',
  ),
  'leaderboard': Command(
    'Trains several methods with several seeds and compares them.',
    'owdfa_jax.leaderboard.__main__',
  ),
  'estimate': Command(
    'Estimates how many sources the training images have.',
    _RUN,
    ('--mode=estimate',),
  ),
  'timing': Command(
    'Times the parts of a training step.', _RUN, ('--mode=timing',)
  ),
  'scale': Command(
    'Counts what a training step costs on chips that need not be there.',
    'owdfa_jax.scale.__main__',
  ),
  'step-timing': Command(
    'Times the training step of each method on the devices of this machine.',
    'owdfa_jax.scale.step_timing',
  ),
  'pack-timing': Command(
    'Times the parts of packing.', 'input_pipeline.pack_timing'
  ),
  'read-timing': Command(
    'Times reading packed images, and image formats.',
    'input_pipeline.read_timing',
  ),
  'metric-timing': Command(
    'Times the metrics on many predictions.',
    'owdfa_jax.evaluation.metric_timing',
  ),
  'soak': Command(
    'Kills small runs at random and checks that nothing is lost.',
    'owdfa_jax.soak.__main__',
  ),
}


def main() -> None:
  """Runs the command that the command line names."""
  words = sys.argv[1:]
  with one_line_errors():
    if not words or words[0] in ('-h', '--help', 'help'):
      print(usage())
      sys.exit(0 if words else 2)
    if words[0] == '--version':
      print(f'owdfa {__version__}')
      return
    name, *arguments = words
    if name not in COMMANDS:
      raise UsageError(
        f'unknown command: {name}; use one of {", ".join(COMMANDS)}'
        f'{did_you_mean(name, COMMANDS)}'
      )
    command = COMMANDS[name]
    modes, _ = take_flag(arguments, 'mode')
    if modes and command.module == _RUN:
      raise UsageError(
        f'--mode belongs to main.py, not to `owdfa {name}`; use '
        f'`owdfa {modes[-1] if modes[-1] in COMMANDS else name}`'
      )
    run = importlib.import_module(command.module).main
    run([*command.arguments, *arguments], prog=f'owdfa {name}')


def usage() -> str:
  """Returns the commands with a line for each."""
  width = max(map(len, COMMANDS))
  lines = [
    'usage: owdfa COMMAND ...',
    '',
    'Open-world deepfake attribution: names the known sources of forged faces,',
    'and discovers the novel ones.',
    '',
    'commands:',
    *(f'  {name:{width}}  {c.summary}' for name, c in COMMANDS.items()),
    '',
    '`owdfa COMMAND --help` lists the options of a command;',
    '`owdfa --version` prints the version.',
  ]
  return '\n'.join(lines)


if __name__ == '__main__':
  main()
