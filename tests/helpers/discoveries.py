"""Opens small discoveries, for tests of `owdfa discover`."""

import os
import pathlib
import shutil

from helpers import imagesets
from owdfa_jax.commands.discover_plan import open_discovery
from owdfa_jax.commands.discover_record import DiscoverRecord
from owdfa_jax.evaluation.new_images import find_new_images


def write_images(folder):
  """Writes the folders `known`, of two sources, and `heap`."""
  imagesets.write_set(folder / 'known', known=2, novel=0, per_class=4)
  (folder / 'known' / 'meta.csv').unlink()
  imagesets.write_set(folder / 'all', known=0, novel=4, per_class=4)
  for name in '23':
    shutil.copytree(folder / 'all' / name, folder / 'heap' / name)


def opened(**changes):
  """Returns the discovery of these folders in the working directory."""
  given = {
    'known': os.path.abspath('known'),
    'images': (os.path.abspath('heap'),),
    'size': 16,
    'crop': 'none',
    'rounds': False,
    'tiles_given': None,
    'known_files': '',
    'heap_files': '',
  }
  return open_discovery(
    DiscoverRecord(**given | changes),
    pathlib.Path.cwd() / 'run',
    find_new_images(['heap']),
  )
