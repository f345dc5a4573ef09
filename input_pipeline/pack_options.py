"""The options of packing and what it runs on, checked when they are made."""

import dataclasses

from input_pipeline.errors import UsageError, check_choice
from input_pipeline.image_headers import LARGEST_LIMIT, MAX_PIXELS
from input_pipeline.number_ranges import LARGEST_SEED, NumberRange, whole
from input_pipeline.packed_format import MOST_SHARDS, SIZES
from input_pipeline.tiles import MOST_TILES, Tiling

DETECTORS = ('none', 'opencv', 'dlib')
FORMATS = ('png', 'jpeg')
ON_ERROR = ('stop', 'skip')
# Of `prepare folder`.
SPLIT_RULES = ('by_image', 'by_group')
LOCAL = 'local'
BEAM_RUNNERS = (
  'DirectRunner',
  'FlinkRunner',
  'SparkRunner',
  'DataflowRunner',
)
_RANGES = {
  'size': whole(*SIZES),
  'quality': whole(1, 100),
  'ratio': NumberRange(0.01, 0.99),
  'seed': whole(0, LARGEST_SEED),
  'shards': NumberRange(1, MOST_SHARDS, whole=True, optional=True),
  'margin': NumberRange(1, 4),
  'max_pixels': whole(1, LARGEST_LIMIT),
  'tiles': whole(0, MOST_TILES),
  'tile_grid': whole(1, SIZES[1]),
}
_WORKERS = NumberRange(1, 4096, whole=True, optional=True)


@dataclasses.dataclass(frozen=True)
class Options:
  """What decides the content of a packed directory, besides the CSV.

  Attributes:
    size: S; images are resized to S x S pixels.
    format: 'png' or 'jpeg' for all images; None keeps the files if all of them
      are S x S pixels, and encodes all as PNG otherwise.
    quality: the JPEG quality, 1 to 100.
    ratio: training share of the released split.
    seed: the seed of the released split, and of the positions of tiles.
    shards: the number of shards in each split; None: by the number of images.
    on_error: 'stop' or 'skip' at an unreadable image.
    crop: the detector of the faces to cut out, 'opencv' or 'dlib'; 'none' packs
      whole images.
    margin: the factor by which a face's box grows; 1.2 adds a tenth of it on
      each side.
    align: the path of dlib's 68-point file, to turn faces upright; or None.
    card: the path of a TOML file for the data card; or None.
    max_pixels: the most pixels of an image; a larger one is unreadable.
    tiles: the most tiles of S x S pixels that are cut from an image at native
      resolution; 0 packs whole images, resized.
    tile_grid: tiles begin at multiples of this, in pixels. JPEG compresses
      blocks of 8 x 8 pixels.
  """

  size: int = 256
  format: str | None = None
  quality: int = 95
  ratio: float = 0.8
  seed: int = 2000
  shards: int | None = None
  on_error: str = 'stop'
  crop: str = 'none'
  margin: float = 1.2
  align: str | None = None
  card: str | None = None
  max_pixels: int = MAX_PIXELS
  tiles: int = 0
  tile_grid: int = 8

  def __post_init__(self) -> None:
    """Raises `UserError` for a value out of range."""
    for name, allowed in _RANGES.items():
      allowed.check(f'--{name}', getattr(self, name))
    if self.format is not None:
      check_choice('--format', self.format, FORMATS)
    check_choice('--on_error', self.on_error, ON_ERROR)
    check_choice('--crop', self.crop, DETECTORS)
    if self.align is not None and self.crop != 'dlib':
      raise UsageError(
        f'--align={self.align} needs --crop=dlib, not --crop={self.crop}; give '
        'it or leave --align out'
      )
    if self.tiles and (self.crop != 'none' or self.format == 'jpeg'):
      other, why = f'--crop={self.crop}', 'a face is cut off the grid'
      if self.crop == 'none':
        other, why = '--format=jpeg', 'compression changes the traces'
      raise UsageError(
        f'--tiles={self.tiles} does not go with {other} ({why}); leave one of '
        'them out'
      )

  @property
  def tiling(self) -> Tiling | None:
    """How tiles are cut; None if whole images are packed."""
    if not self.tiles:
      return None
    return Tiling(self.tiles, self.tile_grid, self.seed)


def check_max_pixels(value: int | None, setting: str = '--max_pixels') -> None:
  """Raises `UsageError` for a limit out of range; None is the default.

  Args:
    value: the most pixels of an image.
    setting: as the user writes it.
  """
  if value is not None:
    _RANGES['max_pixels'].check(setting, value)


@dataclasses.dataclass(frozen=True)
class Resources:
  """What packing runs on. It does not change the result.

  Attributes:
    workers: the number of processes; None: one for each core.
    runner: 'local' or one of `BEAM_RUNNERS`.
    beam_options: further options of Beam, as on a command line.
    detections: the file of detected faces, a path or a URL; None: beside the
      output.
  """

  workers: int | None = None
  runner: str = LOCAL
  beam_options: str = ''
  detections: str | None = None

  def __post_init__(self) -> None:
    """Raises `UserError` for a value out of range."""
    check_choice('--runner', self.runner, (LOCAL, *BEAM_RUNNERS))
    _WORKERS.check('--workers', self.workers)
