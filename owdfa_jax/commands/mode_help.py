"""The pages of --help: what a mode does, and the flags that it takes."""

from typing import NamedTuple

_CONFIG = """--config takes METHOD:BENCHMARK, or the path of a config file.
Any field of the config can be overridden: --config.seed=1"""
_OF_RUN = """Without --config, the config of the run in --workdir is taken.
A few settings can be overridden: --config.eval.batch_size=64"""
_POD = (
  'distributed',
  'coordinator',
  'num_processes',
  'process_id',
  'pod_timeout',
)


class ModeHelp(NamedTuple):
  """The page of a mode.

  Attributes:
    description: what it does, with an example.
    flags: the names of the flags that it takes, in their order.
  """

  description: str
  flags: tuple[str, ...]


MODE_HELP = {
  'train': ModeHelp(
    f"""Trains a network and evaluates it; the same command resumes.

  owdfa train --config=cpl:owdfa1 --workdir=runs/cpl

{_CONFIG}""",
    ('config', 'workdir', 'quiet', *_POD),
  ),
  'eval': ModeHelp(
    f"""Evaluates a checkpoint: report.json, attributions.csv and the page.

  owdfa eval --workdir=runs/cpl

{_OF_RUN}""",
    ('config', 'workdir', 'quiet', *_POD),
  ),
  'attribute': ModeHelp(
    f"""Names the source of each image, in a table.

  owdfa attribute --workdir=runs/cpl new/*.png --out=sources.csv

Takes files, folders and patterns in quotes, in which ** stands for any folders.
{_OF_RUN}""",
    (
      'config',
      'workdir',
      'images',
      'out',
      'max_pixels',
      'stability',
      'nearest',
      'frames',
      'faces',
      'runner',
      'beam_options',
      'quiet',
      *_POD,
    ),
  ),
  'estimate': ModeHelp(
    f"""Estimates how many sources the training images have.

  owdfa estimate --config=cpl:owdfa1
  owdfa estimate --workdir=runs/cpl

The first looks at the spectra of the images, the second at the features of a
trained network.
{_CONFIG}""",
    ('config', 'workdir', 'quiet'),
  ),
  'timing': ModeHelp(
    f"""Times the parts of a training step; nothing is written.

  owdfa timing --config=cpl:owdfa1

{_CONFIG}""",
    ('config', 'quiet', *_POD),
  ),
}
