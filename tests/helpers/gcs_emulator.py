"""An object store on this machine, spoken to as Google Cloud Storage is."""

import contextlib
import functools
import os
import signal
import subprocess
import sys
from http import HTTPStatus
from importlib.util import find_spec

import portpicker
import pytest

from helpers.paths import ROOT

BUCKET = 'bucket'
# They are imported only once the variables of the emulator are set.
NEEDS_STORE = pytest.mark.skipif(
  not all(map(find_spec, ('gcsfs', 'gcp_storage_emulator'))),
  reason='needs gcsfs and gcp-storage-emulator',
)


@contextlib.contextmanager
def running_store():
  """Yields a store that this process and its children use."""
  emulator = Emulator()
  with pytest.MonkeyPatch.context() as patch:
    for name, value in emulator.environment.items():
      patch.setenv(name, value)
    yield emulator
  emulator.stop()


class Emulator:
  """A running store with one empty bucket.

  The emulator lacks two things that TensorStore needs: the generation of an
  object that is read, and writes that depend on it. They are added here.

  Attributes:
    url: of its bucket.
    environment: the variables that lead a process to it.
  """

  def __init__(self):
    """Starts it."""
    from gcp_storage_emulator import server

    _add_generations()
    port = portpicker.pick_unused_port()
    self._server = server.create_server(
      'localhost', port, in_memory=True, default_bucket=BUCKET
    )
    self._server.start()
    self._storage = self._server._storage
    self._create = self._storage.create_file
    self._storage.create_file = self._create_unless_killed
    self._victim = None
    self.url = f'gs://{BUCKET}'
    address = f'http://localhost:{port}'
    self.environment = {
      'STORAGE_EMULATOR_HOST': address,
      'TENSORSTORE_GCS_HTTP_URL': address,
      'GOOGLE_AUTH_TOKEN_FOR_TESTING': 'any',
      'FSSPEC_GCS_TOKEN': 'anon',
      # Otherwise it looks for kinds of buckets that the emulator has not, for
      # a minute.
      'GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT': 'false',
    }

  def stop(self):
    """Stops it."""
    self._server.stop()

  def names(self, prefix=''):
    """Returns the names of the objects that begin so, in order."""
    found, _ = self._storage.get_file_list(BUCKET, prefix, None)
    return sorted(entry['name'] for entry in found)

  def read(self, name):
    """Returns the bytes of an object."""
    return bytes(self._storage.get_file(BUCKET, name))

  def write(self, name, content):
    """Replaces the bytes of an object."""
    entry = dict(self._storage.get_file_obj(BUCKET, name))
    entry['size'] = str(len(content))
    for checksum in ('crc32c', 'md5Hash'):
      entry.pop(checksum, None)
    self._storage.create_file(BUCKET, name, content, entry)

  def remove(self, name):
    """Removes an object."""
    self._storage.delete_file(BUCKET, name)

  def copy(self, prefix, folder):
    """Copies the objects below a name to a local folder."""
    for name in self.names(f'{prefix}/'):
      path = folder / name.removeprefix(f'{prefix}/')
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_bytes(self.read(name))

  def run(self, *arguments, killed_before=''):
    """Runs `main.py` in a process of its own.

    Args:
      *arguments: of the command.
      killed_before: SIGKILL comes before an object is written whose name has
        this in it.

    Returns:
      The `CompletedProcess`, with what it wrote.
    """
    process = subprocess.Popen(
      [sys.executable, 'main.py', *map(str, arguments)],
      cwd=ROOT,
      env=os.environ
      | self.environment
      | {'JAX_NUM_CPU_DEVICES': '1', 'JAX_DISABLE_MOST_OPTIMIZATIONS': '1'},
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    if killed_before:
      self._victim = process.pid, killed_before
    out, err = process.communicate(timeout=560)
    self._victim = None
    return subprocess.CompletedProcess(
      process.args, process.returncode, out, err
    )

  def _create_unless_killed(self, bucket, name, *arguments, **options):
    if self._victim and self._victim[1] in name:
      with contextlib.suppress(ProcessLookupError):
        os.kill(self._victim[0], signal.SIGKILL)
    else:
      self._create(bucket, name, *arguments, **options)


@functools.cache
def _add_generations():
  """Adds what the emulator lacks, once."""
  from gcp_storage_emulator import server
  from gcp_storage_emulator.exceptions import NotFound
  from gcp_storage_emulator.handlers import objects

  download, insert = objects.download, objects.insert

  def generation(storage, bucket, name):
    try:
      return storage.get_file_obj(bucket, name)['generation']
    except NotFound:
      return '0'

  def download_with_generation(request, response, storage, *args, **options):
    where = request.params['bucket_name'], request.params['object_id']
    response['x-goog-generation'] = generation(storage, *where)
    download(request, response, storage, *args, **options)

  def insert_if_it_matches(request, response, storage, *args, **options):
    name = request.query.get('name', [''])[0]
    wanted = request.query.get('ifGenerationMatch')
    bucket = request.params['bucket_name']
    if wanted and wanted[0] != generation(storage, bucket, name):
      response.status = HTTPStatus.PRECONDITION_FAILED
    else:
      insert(request, response, storage, *args, **options)

  replaced = {
    download: download_with_generation,
    insert: insert_if_it_matches,
  }
  objects.download = download_with_generation  # `objects.get` calls it
  for _, handlers in server.HANDLERS:
    for method, handler in handlers.items():
      handlers[method] = replaced.get(handler, handler)
