"""Makes single images of a simulated dataset, their paths and their tags."""

import dataclasses

import numpy as np

from input_pipeline.meta import DROPPED, LABELLED, UNLABELLED
from input_pipeline.simulate.capture import CAPTURES
from input_pipeline.simulate.photos import crop_portrait
from input_pipeline.simulate.portraits import draw_portrait
from input_pipeline.simulate.simulated_classes import CLASSES, SimulatedClass


@dataclasses.dataclass(frozen=True)
class Simulation:
  """What determines each byte of a simulated dataset.

  Attributes:
    images_per_class: number of images of each class.
    size: width and height of an image in pixels.
    seed: the seed of all random numbers.
    photos: files to crop faces from; None renders portraits.
  """

  images_per_class: int
  size: int
  seed: int
  photos: tuple[str, ...] | None = None


def make_image(simulation: Simulation, row: int, index: int) -> np.ndarray:
  """Makes image `index` of class `CLASSES[row]`, [S, S, 3] uint8 RGB.

  The image depends on the seed, class and index alone, and on the photos if
  there are any, so that images can be made in any order and in any process.

  Raises:
    UserError: a photo cannot be decoded.
  """
  entry = CLASSES[row]
  rng = np.random.default_rng((simulation.seed, entry.label_2, index))
  if simulation.photos is None:
    portrait = draw_portrait(rng, simulation.size)
  else:
    portrait = crop_portrait(rng, simulation.size, simulation.photos)
  forged = entry.trace.apply(portrait, rng)
  return CAPTURES[entry.dataset].apply(forged, rng)


def image_path(entry: SimulatedClass, index: int) -> str:
  """Returns an image's path in the dataset, with forward slashes."""
  folder = f'{entry.forgery_type}/{entry.method}/{entry.dataset}'
  return f'{folder}/{index:05d}.png'


def draw_tags(entry: SimulatedClass, count: int, seed: int) -> np.ndarray:
  """Draws the tag of each image of a class, as in the benchmark.

  Of a known class 75 % are labelled and the rest unlabelled; of a novel class
  75 % are unlabelled and the rest dropped.

  Args:
    entry: the class.
    count: number of its images.
    seed: the seed of the dataset.

  Returns:
    [count] int, tags as in `meta`.
  """
  first, rest = (LABELLED, UNLABELLED) if entry.known else (UNLABELLED, DROPPED)
  tags = np.full(count, rest)
  # One number more than the seed of an image, so that the draws are unrelated.
  rng = np.random.default_rng((seed, entry.label_2, 0, 1))
  tags[rng.permutation(count)[: int(count * 0.75 + 0.5)]] = first
  return tags
