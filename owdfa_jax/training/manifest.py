"""The manifest of a checkpoint: the size and the checksum of each of its files.

The arrays of a checkpoint have no checksums of their own: a changed byte would
be restored as another number. The manifest is written last, when all other
files are complete, and is part of the folder when that gets its final name.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator

from input_pipeline import object_store
from input_pipeline.files import open_regular, read_regular
from input_pipeline.object_store import is_remote

# The folder of checkpoints in a workdir.
CHECKPOINTS = 'checkpoints'
# The file of the manifest in the folder of a checkpoint.
MANIFEST = 'manifest.json'
# The metrics of the evaluation at a step, in the folder of its checkpoint.
METRICS_FOLDER = 'metrics/'
METRICS_FILE = 'metrics/metrics'
# The last object of a checkpoint in a store, where folders cannot be renamed.
# Checkpoints of versions that wrote no manifest have this file too.
MARK = 'commit_success.txt'
# What such a checkpoint must have at least.
_OLDER_FILES = (
  '_CHECKPOINT_METADATA',
  'model/_METADATA',
  'model/manifest.ocdbt',
  'train/_METADATA',
  'train/manifest.ocdbt',
)
_FORMAT = 1
# The exceptions that parsing a damaged manifest raises.
_NO_MANIFEST = (
  ValueError,
  TypeError,
  KeyError,
  AttributeError,
  RecursionError,
  OverflowError,  # an infinite number
)


def write_manifest(folder: str | os.PathLike, step: int) -> None:
  """Writes the manifest of a checkpoint whose other files are complete.

  Args:
    folder: the folder of the checkpoint, under its temporary name.
    step: the step that was saved.

  Raises:
    OSError: a file cannot be read, or the manifest cannot be written.
  """
  root = os.fspath(folder)
  files = {name: _measure(os.path.join(root, name)) for name in _walk(root)}
  path, content = os.path.join(root, MANIFEST), _render(step, files)
  if is_remote(root):
    with object_store.write_object(path) as file:
      file.write(content)
    return
  with open(path, 'wb') as file:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def write_mark(folder: str | os.PathLike) -> None:
  """Marks a checkpoint in a store as complete; its manifest is there.

  Args:
    folder: the URL of the checkpoint.

  Raises:
    OSError: the mark cannot be written.
  """
  with object_store.write_object(os.path.join(folder, MARK)) as file:
    file.write(b'complete\n')


def is_complete(folder: str | os.PathLike) -> bool:
  """Returns whether a checkpoint was completed, without reading its files.

  `find_damage` finds what was damaged afterwards.
  """
  marks = (MARK,) if is_remote(folder) else (MANIFEST, MARK)
  return any(_is_file(os.path.join(folder, name)) for name in marks)


def can_be_verified(folder: str | os.PathLike) -> bool:
  """Returns whether a checkpoint has a manifest; earlier versions had none."""
  path = os.path.join(folder, MANIFEST)
  if is_remote(folder):
    return object_store.object_exists(path)
  return os.path.lexists(path)


def checkpoint_digest(folder: str | os.PathLike) -> str:
  """Returns a digest of all files of a complete checkpoint, hexadecimal.

  It tells two checkpoints of the same step apart.

  Args:
    folder: the folder of the checkpoint.

  Raises:
    OSError: a file cannot be read.
  """
  root = os.fspath(folder)
  if can_be_verified(root):
    # It holds the digests of all other files.
    return hashlib.sha256(
      read_regular(os.path.join(root, MANIFEST))
    ).hexdigest()
  files = {name: _measure(os.path.join(root, name)) for name in _walk(root)}
  return hashlib.sha256(json.dumps(files).encode()).hexdigest()


def find_damage(folder: str | os.PathLike, only: str = '') -> str:
  """Returns what is wrong with a checkpoint, or '' if it is as it was saved.

  Reads every file. Of a checkpoint without a manifest, from an earlier
  version, it only finds files that are missing or empty, and metrics that
  cannot be read.

  Args:
    folder: the folder of the checkpoint. In a folder `checkpoints`, its name
      must be the step that was saved.
    only: the beginning of the names of the files to check, such as 'metrics/';
      '' checks all.

  Returns:
    The path of a file and what is wrong with it, such as
    `RUN/checkpoints/8/model/d/0a1b (cut short)`.
  """
  root = os.fspath(folder)
  if not can_be_verified(root):
    return _find_damage_without_manifest(root)
  path = os.path.join(root, MANIFEST)
  try:
    step, files = _parse(read_regular(path))
  except OSError as error:
    return f'{path} ({error.strerror})'
  except _NO_MANIFEST:
    return f'{path} (changed since it was saved)'
  parent, name = os.path.split(root.rstrip('/'))
  # A copy elsewhere may have any name.
  in_run = os.path.basename(parent) == CHECKPOINTS
  if in_run and name.isdecimal() and int(name) != step:
    return f'{root} (it holds step {step})'
  for name, (size, sha256) in files.items():
    if name.startswith(only):
      path = os.path.join(root, name)
      if why := _difference(path, size, sha256):
        return f'{path} ({why})'
  # A foreign file may be read in the place of another.
  for name in _walk(root):
    if name.startswith(only) and name not in files and name != MARK:
      return f'{os.path.join(root, name)} (not part of the checkpoint)'
  return ''


def _find_damage_without_manifest(root: str) -> str:
  if is_remote(root) or not os.path.isfile(os.path.join(root, MARK)):
    return f'{root} (it has no {MANIFEST})'
  for name in _OLDER_FILES:
    if not os.path.isfile(os.path.join(root, name)):
      return f'{os.path.join(root, name)} (missing)'
  for name in _walk(root):
    path = os.path.join(root, name)
    if not os.path.isfile(path) or os.path.getsize(path) == 0:
      return f'{path} (empty)'
  # Orbax reads the metrics of every checkpoint when it opens the folder.
  path = os.path.join(root, METRICS_FILE)
  if os.path.lexists(path) and not _is_json_object(path):
    return f'{path} (not readable)'
  return ''


def _is_json_object(path: str) -> bool:
  try:
    return isinstance(json.loads(read_regular(path)), dict)
  except (OSError, ValueError, RecursionError):
    return False


def _difference(path: str, size: int, sha256: str) -> str:
  """Returns how a file differs from what was saved, '' if it does not."""
  try:
    # The size first: it is known without reading the file.
    remote = is_remote(path)
    found = (object_store.object_size if remote else os.path.getsize)(path)
    if found != size:
      return f'{found} bytes instead of {size}'
    if _measure(path) != (size, sha256):
      return 'changed since it was saved'
  except FileNotFoundError:
    return 'missing'
  except OSError as error:
    return error.strerror or type(error).__name__
  return ''


def _measure(path: str) -> tuple[int, str]:
  """Returns the size of a file in bytes and its SHA-256, hexadecimal."""
  remote = is_remote(path)
  errors = object_store.os_errors(path) if remote else contextlib.nullcontext()
  with errors, open_regular(path) as file:
    sha256 = hashlib.file_digest(file, 'sha256').hexdigest()
    return file.tell(), sha256


def _is_file(path: str) -> bool:
  if is_remote(path):
    return object_store.object_exists(path)
  return os.path.isfile(path)


def _walk(root: str) -> Iterator[str]:
  """Yields the names of the files below a folder, relative to it, in order.

  The manifest is left out, and so are hidden files: file systems and desktops
  put theirs into any folder.
  """
  if is_remote(root):
    for name in object_store.object_names(root):
      if name != MANIFEST and not name.rpartition('/')[2].startswith('.'):
        yield name
    return
  for folder, folders, names in os.walk(root):
    folders.sort()
    for name in sorted(names):
      relative = os.path.relpath(os.path.join(folder, name), root)
      if relative != MANIFEST and not name.startswith('.'):
        yield relative


def _render(step: int, files: dict[str, tuple[int, str]]) -> bytes:
  """Returns the content of a manifest; its last field is its own checksum."""
  body = {
    'format': _FORMAT,
    'step': step,
    'files': {name: list(entry) for name, entry in files.items()},
  }
  text = json.dumps(body, indent=1)
  sha256 = hashlib.sha256(text.encode()).hexdigest()
  return (json.dumps(body | {'sha256': sha256}, indent=1) + '\n').encode()


def _parse(content: bytes) -> tuple[int, dict[str, tuple[int, str]]]:
  """Returns the step and the files of a manifest.

  Raises:
    An exception of `_NO_MANIFEST`: it is damaged.
  """
  body = json.loads(content)
  step = int(body['step'])
  files = {
    str(name): (int(size), str(sha256))
    for name, (size, sha256) in body['files'].items()
  }
  # Compares every byte, also those of the checksum and the blanks.
  if _render(step, files) != content:
    raise ValueError('not as it was written')
  return step, files
