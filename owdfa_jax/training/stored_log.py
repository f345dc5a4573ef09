"""A log in a store, where nothing can be appended to an object."""

import os
import tempfile
import time

from input_pipeline import object_store

_UPLOAD_SECONDS = 30


class StoredLog:
  """A log that grows on the local disk and is uploaded whole.

  Attributes:
    path: the local file, to be written.
  """

  def __init__(self, url: str | os.PathLike):
    """Copies the log that is there, if there is one.

    Args:
      url: of the log.

    Raises:
      OSError: it cannot be read.
    """
    self._url = os.fspath(url)
    self._folder = tempfile.TemporaryDirectory()
    self._uploaded = time.monotonic()
    self.path = os.path.join(self._folder.name, 'log')
    with open(self.path, 'wb') as file:
      if object_store.object_exists(url):
        with object_store.os_errors(url), object_store.open_object(url) as log:
          while part := log.read(1 << 20):
            file.write(part)

  def upload_if_due(self) -> None:
    """Uploads the log unless that was done a moment ago.

    Raises:
      OSError: it cannot be written.
    """
    if time.monotonic() - self._uploaded > _UPLOAD_SECONDS:
      self.upload()

  def upload(self) -> None:
    """Uploads the log.

    Raises:
      OSError: it cannot be written.
    """
    object_store.upload_file(self.path, self._url)
    self._uploaded = time.monotonic()

  def close(self) -> None:
    """Removes the local file."""
    self._folder.cleanup()
