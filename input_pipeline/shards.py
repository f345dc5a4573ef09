"""The task of writing one shard, and its result.

Both travel between processes and machines, as JSON or by pickle.
"""

import dataclasses

from input_pipeline.faces import Crop, FaceBox
from input_pipeline.image_headers import MAX_PIXELS
from input_pipeline.packed_format import SPLITS
from input_pipeline.tiles import Tiling


@dataclasses.dataclass(frozen=True)
class ImageRow:
  """One image to pack.

  Attributes:
    number: the row of its split.
    file: the path of the image file.
    id: the path as the meta CSV has it.
    label: the true label, -1 unknown.
    tag: 1 labelled, 2 unlabelled.
    method: the `method` of the meta CSV.
    forgery_type: the `forgery_type` of the meta CSV.
    image_source: the `image_source` of the meta CSV.
  """

  number: int
  file: str
  id: str
  label: int
  tag: int
  method: str
  forgery_type: str
  image_source: str


@dataclasses.dataclass(frozen=True)
class Encoding:
  """How images are stored.

  Attributes:
    size: S, images are S x S pixels.
    format: 'png' or 'jpeg', of images that are encoded anew.
    quality: the JPEG quality, 1 to 100.
    keep: whether plain files of the right size keep their bytes.
  """

  size: int
  format: str
  quality: int
  keep: bool


@dataclasses.dataclass(frozen=True)
class Shard:
  """One shard to write.

  Attributes:
    split: 'train' or 'test'.
    number: the number of the shard in its split.
    folder: a local path or a URL.
    name: the file name.
    rows: the images, in the order of the records.
    encoding: how the images are stored.
    crop: how faces are cut out; None packs whole images.
    skip_unreadable: whether to leave out unreadable images instead of stopping.
    max_pixels: the most pixels of an image that is read.
    tiling: how tiles are cut at native resolution; None resizes the images.
  """

  split: str
  number: int
  folder: str
  name: str
  rows: tuple[ImageRow, ...]
  encoding: Encoding
  crop: Crop | None
  skip_unreadable: bool
  max_pixels: int = MAX_PIXELS
  tiling: Tiling | None = None

  @property
  def path(self) -> str:
    """The path or the URL of the file."""
    return f'{self.folder}/{self.name}'


@dataclasses.dataclass(frozen=True)
class Packed:
  """One record of a shard.

  Attributes:
    number: the number of its `ImageRow`.
    offset: where its data begins in the shard, in bytes.
    length: the length of its data, in bytes.
    format: 'png' or 'jpeg'.
    sha256: the hash of the original image file.
    record_sha256: the hash of its data.
    face: whether a face was found and cut out.
    side: the longer side of the image, or of the face, before it was resized
      or cut into tiles, in pixels.
    tile: the number of the tile among those of its image.
  """

  number: int
  offset: int
  length: int
  format: str
  sha256: str
  record_sha256: str
  face: bool
  side: int
  tile: int = 0


@dataclasses.dataclass
class Written:
  """The result of writing a shard.

  Attributes:
    shard: the shard that was asked for.
    records: its records, in their order.
    skipped: unreadable images, each with the reason.
    detected: new detections, from the sha256 of the image file to the face.
    size: the size of the file, in bytes.
    sha256: the hash of the file.
  """

  shard: Shard
  records: list[Packed] = dataclasses.field(default_factory=list)
  skipped: list[tuple[ImageRow, str]] = dataclasses.field(default_factory=list)
  detected: dict[str, FaceBox | None] = dataclasses.field(default_factory=dict)
  size: int = 0
  sha256: str = ''


def by_split(written: list[Written]) -> dict[str, list[Written]]:
  """Returns the results of each split."""
  return {
    split: [result for result in written if result.shard.split == split]
    for split in SPLITS
  }


def image_formats(written: list[Written]) -> list[str]:
  """Returns the formats of the packed images, sorted."""
  return sorted({record.format for r in written for record in r.records})


def data_bytes(written: list[Written]) -> int:
  """Returns the bytes of all records, without their framing."""
  return sum(record.length for r in written for record in r.records)
