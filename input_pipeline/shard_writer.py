"""Writes one TFRecord shard from its images, in any process on any machine.

A shard depends on its own rows alone. Neither the number of processes nor the
runner changes a byte of the files.
"""

import hashlib
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import BinaryIO

import numpy as np

from input_pipeline import faces, features, images, storage
from input_pipeline.errors import UserError
from input_pipeline.files import file_sha256
from input_pipeline.image_headers import probe
from input_pipeline.shards import ImageRow, Packed, Shard, Written
from input_pipeline.tfrecord import write_record
from input_pipeline.tiles import cut_tiles

# Called with the number of images done since the last call.
Progress = Callable[[int], object]


def write_shard(
  shard: Shard,
  progress: Progress,
  known: Mapping[str, faces.FaceBox | None],
) -> Written:
  """Writes one shard.

  Args:
    shard: the shard to write. It is copied to a URL once it is complete.
    progress: called with 1 after every image.
    known: faces found before, by the sha256 of the image file.

  Raises:
    UserError: an image is unreadable (unless such images are skipped), or the
      file cannot be written.
  """
  if not storage.is_remote(shard.folder):
    return _write_file(shard, pathlib.Path(shard.path), progress, known)
  # Object stores cannot append, so the shard is written here first.
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, shard.name)
    written = _write_file(shard, path, progress, known)
    storage.upload(path, shard.folder)
    return written


def _write_file(
  shard: Shard,
  path: pathlib.Path,
  progress: Progress,
  known: Mapping[str, faces.FaceBox | None],
) -> Written:
  written = Written(shard)
  try:
    with open(path, 'wb') as file:
      for row in shard.rows:
        try:
          written.records += _pack_image(file, row, written, known)
        except UserError as error:
          if not shard.skip_unreadable:
            raise UserError(
              f'{error}; replace it, or leave such images out with '
              '--on_error skip'
            ) from error
          written.skipped.append((row, str(error)))
        progress(1)
    written.sha256 = file_sha256(path)
    written.size = path.stat().st_size
  except OSError as error:
    raise UserError(
      f'cannot write {path}: {error.strerror}; free some space or choose '
      'another --out'
    ) from error
  return written


def _pack_image(
  file: BinaryIO,
  row: ImageRow,
  written: Written,
  known: Mapping[str, faces.FaceBox | None],
) -> list[Packed]:
  """Appends the records of one image to the open shard: one, or its tiles."""
  encoding, crop = written.shard.encoding, written.shard.crop
  max_pixels, tiling = written.shard.max_pixels, written.shard.tiling
  data = images.read_file(row.file, max_pixels)
  # Decoded even if its bytes are kept: every packed image must be readable.
  image = images.decode_file(data, row.file, max_pixels)
  sha256 = hashlib.sha256(data).hexdigest()
  image_format, height, width, plain = probe(data)
  fits = (height, width) == (encoding.size, encoding.size)
  face = None
  if crop is not None:
    face = _find_face(image, sha256, crop, written.detected, known)
    image = image if face is None else _cut_face(image, face, crop, row)
  if encoding.keep and plain and fits:
    parts = [data]
  else:
    image_format = encoding.format
    pictures = (
      [images.resize_image(image, encoding.size)]
      if tiling is None
      else cut_tiles(image, encoding.size, tiling, sha256, row.file)
    )
    parts = [
      images.encode_image(picture, image_format, encoding.quality)
      for picture in pictures
    ]
  records = []
  for tile, stored in enumerate(parts):
    record = _encode_record(row, stored, sha256)
    records.append(
      Packed(
        number=row.number,
        offset=write_record(file, record),
        length=len(record),
        format=image_format,
        sha256=sha256,
        record_sha256=hashlib.sha256(record).hexdigest(),
        face=face is not None,
        side=max(image.shape[:2]),
        tile=tile,
      )
    )
  return records


def _encode_record(row: ImageRow, stored: bytes, sha256: str) -> bytes:
  return features.encode_record(
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


def _find_face(
  image: np.ndarray,
  sha256: str,
  crop: faces.Crop,
  detected: dict[str, faces.FaceBox | None],
  known: Mapping[str, faces.FaceBox | None],
) -> faces.FaceBox | None:
  if sha256 in known:
    return known[sha256]
  # A shard may hold several files of the same bytes.
  if sha256 not in detected:
    detected[sha256] = faces.detector(crop)(image)
  return detected[sha256]


def _cut_face(
  image: np.ndarray, face: faces.FaceBox, crop: faces.Crop, row: ImageRow
) -> np.ndarray:
  cut = faces.cut_face(image, face, crop.margin)
  if not cut.size:
    raise UserError(
      f'bad detection: {row.file}: {face} lies outside the image; remove the '
      '--detections file'
    )
  return cut
