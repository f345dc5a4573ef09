"""Checks that the processes of a pod were given the same work.

They run one program together. If one had another seed, other data or another
list of images, they would disagree without an error: each process keeps a copy
of the parameters, and names images by their places in its own list.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from input_pipeline.errors import UserError
from input_pipeline.image_folders import FolderScan
from owdfa_jax import __version__
from owdfa_jax.setting_checks import flatten_settings
from owdfa_jax.settings import RunInputs
from owdfa_jax.training.run_record import run_settings

# Where the data lies and how fast it is read may differ between machines.
_MAY_DIFFER = (
  'data.path',
  'data.num_threads',
  'data.num_workers',
  'eval.unseen_path',
  'compilation_cache',
)
# Of `run_settings`, what is no setting.
_OF_DATA = ('dataset', 'packed.', 'pseudo_labels', 'held_out')


def facts_of_work(
  inputs: RunInputs, flags: Mapping[str, Any], images: FolderScan | None
) -> dict[str, Any]:
  """Returns what the processes of a pod must agree on, by how a user says it.

  Args:
    inputs: of the run.
    flags: the values of flags, such as '--mode'.
    images: those to attribute, if any.
  """
  facts: dict[str, Any] = {'version': __version__, **flags}
  for name, value in flatten_settings(run_settings(inputs)).items():
    if name not in _MAY_DIFFER:
      of_data = name.startswith(_OF_DATA)
      facts[f'the data: {name}' if of_data else f'--config.{name}'] = value
  if images is not None:
    facts['the number of images'] = len(images.images)
    joined = '\0'.join(images.images).encode(errors='surrogateescape')
    facts['the names of images'] = hashlib.sha256(joined).hexdigest()[:12]
  return facts


def check_agreement(
  facts: Mapping[str, Any], process: int, share: Callable[[str], str]
) -> None:
  """Compares a process's facts with those of process 0.

  Args:
    facts: of this process.
    process: its number.
    share: publishes a text if this is process 0; returns that of process 0.

  Raises:
    UserError: they differ.
  """
  text = json.dumps(facts)
  first = json.loads(share(text))
  here = json.loads(text)
  for name in first | here:
    if first.get(name) != here.get(name):
      raise UserError(
        f'the processes were given different work: {name}='
        f'{here.get(name)} in process {process}, and {first.get(name)} in '
        'process 0; give all of them the same command, files and version'
      )
