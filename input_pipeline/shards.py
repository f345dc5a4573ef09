"""One TFRecord shard from its images: what every process and machine runs.

A shard depends on its own rows alone, so neither the number of processes nor
the runner changes anything in the files.
"""

import dataclasses
import hashlib
import os
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import BinaryIO

import cv2

from input_pipeline import faces, features, images, storage
from input_pipeline.errors import UserError
from input_pipeline.tfrecord import write_record


@dataclasses.dataclass(frozen=True)
class Row:
  """One image to pack."""

  number: int  # position in its split
  file: str
  id: str
  label: int
  tag: int
  method: str
  forgery_type: str
  image_source: str


@dataclasses.dataclass(frozen=True)
class Encoding:
  """How images are stored."""

  size: int  # pixels
  format: str  # 'png' or 'jpeg', of images that are encoded anew
  quality: int  # of JPEG, 1 to 100
  keep: bool  # plain files of the right size keep their bytes


@dataclasses.dataclass(frozen=True)
class Shard:
  """One shard to write."""

  split: str
  number: int
  folder: str  # a local path or a URL
  name: str
  rows: tuple[Row, ...]
  encoding: Encoding
  crop: faces.Crop | None  # None: the whole image
  skip_unreadable: bool


@dataclasses.dataclass(frozen=True)
class Packed:
  """One record of a shard."""

  number: int  # of its row
  offset: int  # of its data, in bytes
  length: int  # of its data, in bytes
  format: str  # 'png' or 'jpeg'
  sha256: str  # of the image file
  face: bool  # whether a face was found, and cut out


@dataclasses.dataclass
class Written:
  """What became of a shard."""

  shard: Shard
  records: list[Packed] = dataclasses.field(default_factory=list)
  skipped: list[tuple[Row, str]] = dataclasses.field(default_factory=list)
  # Faces that were not known before, by the image file's sha256.
  detected: dict[str, faces.Face | None] = dataclasses.field(
    default_factory=dict
  )
  size: int = 0  # of the file, in bytes
  sha256: str = ''  # of the file


def write_shard(
  shard: Shard,
  progress: Callable[[int], object],
  known: Mapping[str, faces.Face | None],
) -> Written:
  """Writes one shard; `progress` is called with 1 after every row.

  Args:
    shard: what to write. To a URL it is copied when it is whole.
    progress: called with 1 after every row.
    known: faces found before, by the image file's sha256.

  Raises:
    UserError: an image is unreadable (unless skipped), or the file cannot be
      written.
  """
  if not storage.is_remote(shard.folder):
    path = pathlib.Path(shard.folder, shard.name)
    return _write(shard, path, progress, known)
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, shard.name)
    written = _write(shard, path, progress, known)
    storage.upload(path, shard.folder)
    return written


def _write(
  shard: Shard,
  path: pathlib.Path,
  progress: Callable[[int], object],
  known: Mapping[str, faces.Face | None],
) -> Written:
  written = Written(shard)
  try:
    with open(path, 'wb') as file:
      for row in shard.rows:
        try:
          written.records.append(_pack(file, row, written, known))
        except UserError as error:
          if not shard.skip_unreadable:
            raise UserError(
              f'{error}; replace it, or leave such images out with '
              '--on_error skip'
            ) from error
          written.skipped.append((row, str(error)))
        progress(1)
    with open(path, 'rb') as file:
      written.sha256 = hashlib.file_digest(file, 'sha256').hexdigest()
      written.size = os.fstat(file.fileno()).st_size
  except OSError as error:
    raise UserError(
      f'cannot write {path}: {error.strerror}; nothing is left behind'
    ) from error
  return written


def _pack(
  file: BinaryIO,
  row: Row,
  written: Written,
  known: Mapping[str, faces.Face | None],
) -> Packed:
  """Appends the record of one image."""
  encoding, crop = written.shard.encoding, written.shard.crop
  data = images.read_file(row.file)
  # Decoded even if its bytes are kept: every packed image must be readable.
  image = images.decode(data, row.file)
  sha256 = hashlib.sha256(data).hexdigest()
  image_format, height, width, plain = images.probe(data)
  fits = (height, width) == (encoding.size, encoding.size)
  face = None
  if crop is not None:
    face = _find(image, sha256, crop, written.detected, known)
    image = image if face is None else _cut(image, face, crop, row)
  if encoding.keep and plain and fits:
    stored = data
  else:
    image_format = encoding.format
    resized = images.resize(image, encoding.size)
    stored = images.encode(resized, image_format, encoding.quality)
  record = features.encode(
    features.Record(
      image=stored,
      label=row.label,
      tag=row.tag,
      id=row.id,
      method=row.method,
      forgery_type=row.forgery_type,
      image_source=row.image_source,
      sha256=sha256,
    )
  )
  return Packed(
    number=row.number,
    offset=write_record(file, record),
    length=len(record),
    format=image_format,
    sha256=sha256,
    face=face is not None,
  )


def _find(
  image: cv2.typing.MatLike,
  sha256: str,
  crop: faces.Crop,
  detected: dict[str, faces.Face | None],
  known: Mapping[str, faces.Face | None],
) -> faces.Face | None:
  if sha256 in known:
    return known[sha256]
  if sha256 not in detected:
    detected[sha256] = faces.detector(crop)(image)
  return detected[sha256]


def _cut(
  image: cv2.typing.MatLike, face: faces.Face, crop: faces.Crop, row: Row
) -> cv2.typing.MatLike:
  cut = faces.cut(image, face, crop.margin)
  if not cut.size:
    raise UserError(
      f'bad detection: {row.file}: {face} lies outside the image; remove the '
      '--detections file'
    )
  return cut
