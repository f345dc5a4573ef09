"""Signed content credentials (C2PA) that an image file carries.

Cameras, editors and generators may sign what they did to an image. That is a
statement of whoever signed it; a missing one says nothing. Needs the package
`c2pa-python` (the extra `credentials`).
"""

import functools
import json
import os
from typing import Any

from input_pipeline.escape import shortened
from input_pipeline.png_chunks import without_pixels

# How the reader calls a signature, and what the column says of it.
_STATES = {
  'Trusted': 'signed',
  'Valid': 'signed, signer not verified',
  'Invalid': 'changed since it was signed',
}
_UNREADABLE = 'unreadable credentials'
# One of these is in every file that has credentials: the name of the box that
# holds them, or, where they are kept elsewhere, the field that names the place.
_MARKS = (b'c2pa', b'provenance')


def read_credentials(path: str | os.PathLike[str], data: bytes) -> str:
  """Returns what an image file says of its origin, in one line.

  Nothing is asked of a network, so signers are not looked up in lists of those
  that are trusted.

  Args:
    path: the file.
    data: its bytes.

  Returns:
    Such as 'signed, signer not verified: issuer Example Camera, made by
    Example Editor 1.2, says: created by a trained algorithm'; '' without
    credentials, for a file of a kind that has none, and without the package.
  """
  c2pa = _reader()
  if c2pa is None:
    return ''
  # The reader takes as long as decoding a small image.
  searched = without_pixels(data)
  if not any(mark in searched for mark in _MARKS):
    return ''
  try:
    reader = c2pa.Reader.try_create(os.fspath(path), context=_context())
    if reader is None:
      return ''
    with reader:
      content = json.loads(reader.json())
  except c2pa.C2paError.NotSupported:
    return ''
  except (c2pa.C2paError, OSError, ValueError):
    return _UNREADABLE
  return describe_credentials(content)


@functools.cache
def _reader() -> Any:
  """Returns the module that reads credentials, None without the package."""
  try:
    import c2pa  # pyrefly: ignore[missing-import]
  except ImportError:
    return None
  return c2pa


@functools.cache
def _context() -> Any:
  # A file may name a web address where its credentials are.
  return _reader().Context.from_dict(
    {'verify': {'remote_manifest_fetch': False, 'ocsp_fetch': False}}
  )


def describe_credentials(content: Any) -> str:
  """Returns one line for what a file's credentials say.

  Args:
    content: the parsed JSON of the reader.
  """
  try:
    manifest = content['manifests'][content['active_manifest']]
    state = _STATES.get(content.get('validation_state'), _UNREADABLE)
    issuer = (manifest.get('signature_info') or {}).get('issuer')
    parts = [f'issuer {shortened(issuer)}'] if issuer else []
    if generator := _generator(manifest):
      parts.append(f'made by {shortened(generator)}')
    if _by_algorithm(manifest):
      parts.append('says: created by a trained algorithm')
  except (AttributeError, KeyError, TypeError):
    return _UNREADABLE
  return f'{state}: {", ".join(parts)}' if parts else state


def _generator(manifest: dict[str, Any]) -> str:
  """Returns the program that wrote the credentials, '' if none is named."""
  for info in manifest.get('claim_generator_info') or ():
    return ' '.join(info[x] for x in ('name', 'version') if info.get(x))
  return manifest.get('claim_generator') or ''


def _by_algorithm(manifest: dict[str, Any]) -> bool:
  """Returns whether an action names a trained algorithm as the source."""
  return any(
    'trainedAlgorithmicMedia' in str(action.get('digitalSourceType'))
    for assertion in manifest.get('assertions') or ()
    if str(assertion.get('label')).startswith('c2pa.actions')
    for action in assertion['data'].get('actions') or ()
  )
