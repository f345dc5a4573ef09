"""Batches of image files that are not packed: new images to attribute."""

import dataclasses
import hashlib
from collections.abc import Sequence

import grain
import numpy as np

from input_pipeline import faces, images
from input_pipeline.batches import Batch, iterate_batches
from input_pipeline.dataset import PackedDataset
from input_pipeline.errors import UserError
from input_pipeline.image_headers import MAX_PIXELS, check_size
from input_pipeline.image_kinds import BadImage
from input_pipeline.pack_options import check_max_pixels
from input_pipeline.packed_arguments import (
  crop_of,
  max_pixels_of,
  tiling_of,
)
from input_pipeline.tiles import Tiling, cut_tiles


@dataclasses.dataclass(frozen=True)
class Cut:
  """What is cut from an image for one answer.

  Attributes:
    pictures: at least one uint8 [S, S, 3].
    side: the longer side of the image, or of the face that is cut out of it,
      before it is resized, in pixels.
    num_faces: how many faces the detector found in the image; None without a
      detector.
    box: the face that is cut out; None if the image is taken whole.
  """

  pictures: list[np.ndarray]
  side: int
  num_faces: int | None = None
  box: faces.FaceBox | None = None


class ImageCutter:
  """Cuts from new images what the network sees, as packing did."""

  def __init__(
    self,
    image_size: int,
    crop: faces.Crop | None = None,
    tiling: Tiling | None = None,
    max_pixels: int = MAX_PIXELS,
  ):
    """Loads the detector of faces, if there is one.

    Args:
      image_size: S, pixels.
      crop: how the faces of the training images were cut out; None if they are
        whole images.
      tiling: how tiles were cut from the training images; None if they were
        packed whole.
      max_pixels: the most pixels of an image; a larger one is unreadable.

    Raises:
      UserError: the library of the detector is missing.
    """
    self.image_size = image_size
    self.max_pixels = max_pixels
    self._crop, self._tiling = crop, tiling
    self._find = None if crop is None else faces.detector(crop)

  @property
  def most_pictures(self) -> int:
    """The most pictures that are cut from one image."""
    return 1 if self._tiling is None else self._tiling.count

  @property
  def threads(self) -> int | None:
    """The most threads that may cut at the same time; None for any number.

    OpenCV's and dlib's detectors keep state while they search.
    """
    return None if self._find is None else 1

  def of_file(self, path: str, most_faces: int = 1) -> list[Cut]:
    """Returns what is cut from an image file.

    Args:
      path: the file.
      most_faces: how many of the faces in it are cut out, where faces are.

    Returns:
      At least one cut. The first is what packing cuts: whole, in tiles, or the
      face that packing takes. The others are further faces.

    Raises:
      UserError: it cannot be read, is too large, or smaller than a tile.
    """
    data = images.read_file(path, self.max_pixels)
    return self.of_bytes(data, path, most_faces)

  def of_bytes(self, data: bytes, name: str, most_faces: int = 1) -> list[Cut]:
    """Returns the same for the bytes of an image file.

    Args:
      data: the bytes.
      name: names the file in errors.
      most_faces: as for `of_file`.

    Raises:
      UserError: it cannot be decoded, is too large, or smaller than a tile.
    """
    pixels = images.decode_file(data, name, self.max_pixels)
    return self._cut(pixels, data, name, most_faces)

  def of_pixels(
    self, pixels: np.ndarray, name: str, most_faces: int = 1
  ) -> list[Cut]:
    """Returns the same for an image that is decoded already.

    Its tiles lie at other places than those of its file.

    Args:
      pixels: uint8 [H, W, 3], RGB.
      name: names it in errors.
      most_faces: as for `of_file`.

    Raises:
      UserError: it is too large, or smaller than a tile.
    """
    try:
      check_size(pixels.shape[0], pixels.shape[1], self.max_pixels)
    except BadImage as error:
      raise UserError(f'unreadable image: {name}: {error}') from error
    return self._cut(pixels, pixels.tobytes(), name, most_faces)

  def _cut(
    self, pixels: np.ndarray, data: bytes, name: str, most_faces: int
  ) -> list[Cut]:
    if self._tiling is not None:
      sha256 = hashlib.sha256(data).hexdigest()
      tiles = cut_tiles(pixels, self.image_size, self._tiling, sha256, name)
      # Copies: a view would keep the whole image in memory.
      return [Cut([tile.copy() for tile in tiles], max(pixels.shape[:2]))]
    if self._crop is None or self._find is None:
      return [self._resized(pixels)]
    found = [*self._find.faces(pixels)]
    if not found:
      return [self._resized(pixels, num_faces=0)]
    return [
      self._resized(
        faces.cut_face(pixels, box, self._crop.margin), len(found), box
      )
      for box in found[:most_faces]
    ]

  def _resized(
    self,
    pixels: np.ndarray,
    num_faces: int | None = None,
    box: faces.FaceBox | None = None,
  ) -> Cut:
    picture = images.resize_image(pixels, self.image_size)
    return Cut([picture], max(pixels.shape[:2]), num_faces, box)


def cutter_for(
  dataset: PackedDataset, max_pixels: int | None = None
) -> ImageCutter:
  """Returns what cuts new images as those of a dataset were cut.

  Args:
    dataset: the dataset.
    max_pixels: the most pixels of an image; None: as in packing.

  Raises:
    UsageError: `max_pixels` is out of range.
  """
  check_max_pixels(max_pixels, 'max_pixels')
  return ImageCutter(
    dataset.image_size,
    crop_of(dataset),
    tiling_of(dataset),
    max_pixels or max_pixels_of(dataset),
  )


def file_batches(
  paths: Sequence[str],
  unreadable: dict[int, str],
  sides: dict[int, int],
  *,
  image_size: int,
  batch_size: int,
  crop: faces.Crop | None = None,
  max_pixels: int = MAX_PIXELS,
  num_threads: int = 2,
  tiling: Tiling | None = None,
) -> grain.DatasetIterator[Batch]:
  """Returns an iterator of batches that hold every file once.

  Images are cut out and resized, or cut into tiles, as in packing. Each batch
  has `image` uint8 [b, S, S, 3]; `index` int32 [b], the position in `paths`,
  which all tiles of a file have; `mask` bool [b], False on padding and on files
  that cannot be read, whose index is -1.

  Args:
    paths: the paths of the image files.
    unreadable: is filled with the position of each unreadable file and the
      reason; complete when the iterator ends.
    sides: is filled with the longer side of each other image, or of the face
      that is cut out of it, before it is resized, in pixels.
    image_size: S, pixels.
    batch_size: b, at least the number of tiles of an image.
    crop: how the faces of the training images were cut out; None if they are
      whole images.
    max_pixels: the most pixels of an image; a larger one is unreadable.
    num_threads: batches decoded at the same time. With `crop` it is 1, since a
      detector serves one thread only.
    tiling: how tiles were cut from the training images; None if they were
      packed whole.
  """
  cutter = ImageCutter(image_size, crop, tiling, max_pixels)

  # Whole files go into a batch, so that its shape is always the same.
  files_per_batch = batch_size // cutter.most_pictures

  def make_batch(step: int) -> Batch:
    start = int(step) * files_per_batch
    end = min(start + files_per_batch, len(paths))
    pictures: list[tuple[int, np.ndarray]] = []
    for position in range(start, end):
      try:
        cut = cutter.of_file(paths[position])[0]
      except UserError as error:
        unreadable[position] = str(error)
      else:
        sides[position] = cut.side
        pictures += [(position, picture) for picture in cut.pictures]
    return _batch_of(pictures, batch_size, image_size)

  threads = cutter.threads or num_threads
  steps = -(-len(paths) // files_per_batch)
  return iterate_batches(make_batch, 0, steps, threads, num_workers=0)


def _batch_of(
  pictures: Sequence[tuple[int, np.ndarray]], batch_size: int, image_size: int
) -> Batch:
  """Returns a batch of pictures and the numbers of their files, padded."""
  image = np.zeros((batch_size, image_size, image_size, 3), np.uint8)
  index = np.full(batch_size, -1, np.int32)
  for row, (position, picture) in enumerate(pictures):
    image[row], index[row] = picture, position
  return {'image': image, 'index': index, 'mask': index >= 0}
