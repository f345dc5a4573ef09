"""The views of an image that methods compare, and the settings behind them."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Augmentation:
  """The settings `config.augment`; the defaults are the papers'.

  Attributes:
    crop: 'resized': cuts out a part and enlarges it; 'shifted': shifts by whole
      pixels, which interpolates nothing; 'none'.
    crop_probability: of either.
    largest_shift: of a shift, as a share of the side.
    colour_probability: of a change of brightness and contrast.
    colour_strength: its largest change; twice that in the view 'strong'.
    resize_probability: of shrinking and enlarging again.
    smallest_resize: the least share of the side that is left.
    noise_probability: of adding noise.
    largest_noise: its largest standard deviation, in grey levels.
    jpeg_probability: of encoding as JPEG.
    lowest_quality: of the JPEG.
    highest_quality: of the JPEG.
  """

  crop: str = 'resized'
  crop_probability: float = 0.2
  largest_shift: float = 0.125
  colour_probability: float = 0.2
  colour_strength: float = 0.2
  resize_probability: float = 0.0
  smallest_resize: float = 0.5
  noise_probability: float = 0.0
  largest_noise: float = 4.0
  jpeg_probability: float = 0.0
  lowest_quality: int = 60
  highest_quality: int = 95


PAPERS = Augmentation()


@dataclasses.dataclass(frozen=True)
class View:
  """The transforms of a view and their probabilities.

  Attributes:
    flip: probability of a horizontal flip.
    crop: probability of a random resized crop.
    jitter: probability of a brightness and contrast change.
    strength: the largest change: of brightness as a share of 255, of contrast
      as a share of itself, up or down.
    shift: probability of a shift.
    resize: probability of shrinking and enlarging again.
    noise: probability of noise.
    jpeg: probability of JPEG.
    ranges: the ranges of the last four.
  """

  flip: float = 0.0
  crop: float = 0.0
  jitter: float = 0.0
  strength: float = 0.0
  shift: float = 0.0
  resize: float = 0.0
  noise: float = 0.0
  jpeg: float = 0.0
  ranges: Augmentation = PAPERS


VIEW_NAMES = ('none', 'standard', 'weak', 'strong')


def make_view(name: str, augmentation: Augmentation) -> View:
  """Returns a view by its name, one of `VIEW_NAMES`.

  'weak' is a flip alone. 'standard' and 'strong' have all transforms.
  """
  if name in ('none', 'weak'):
    return View(flip=0.5 if name == 'weak' else 0.0)
  crops = {augmentation.crop: augmentation.crop_probability}
  strength = augmentation.colour_strength
  return View(
    flip=0.5,
    crop=crops.get('resized', 0.0),
    jitter=augmentation.colour_probability,
    strength=2 * strength if name == 'strong' else strength,
    shift=crops.get('shifted', 0.0),
    resize=augmentation.resize_probability,
    noise=augmentation.noise_probability,
    jpeg=augmentation.jpeg_probability,
    ranges=augmentation,
  )
