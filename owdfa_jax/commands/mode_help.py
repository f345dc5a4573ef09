"""The pages of --help: what a mode does, and the flags that it takes."""

from typing import NamedTuple

_OF_RUN = """\
Without --config, that of the run in --workdir is taken, of which few settings
can be overridden: --config.eval.batch_size=64"""
# The flags of one of several processes.
POD_FLAGS = (
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
    """Trains a network and evaluates it; the same command resumes.

  owdfa train --config=cpl:owdfa1 --workdir=runs/cpl""",
    ('config', 'workdir', 'quiet', *POD_FLAGS),
  ),
  'eval': ModeHelp(
    f"""Evaluates a checkpoint: report.json, attributions.csv and the page.

  owdfa eval --workdir=runs/cpl

{_OF_RUN}""",
    ('config', 'workdir', 'quiet', *POD_FLAGS),
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
      *POD_FLAGS,
    ),
  ),
  'estimate': ModeHelp(
    """Estimates how many sources the training images have.

  owdfa estimate --config=cpl:owdfa1
  owdfa estimate --workdir=runs/cpl

The first looks at the spectra of the images, the second at the features of a
trained network.""",
    ('config', 'workdir', 'quiet'),
  ),
  'timing': ModeHelp(
    """Times the parts of a training step; nothing is written.

  owdfa timing --config=cpl:owdfa1""",
    ('config', 'quiet', *POD_FLAGS),
  ),
}
