"""Draws the images of OW-DFA, and which of them are labelled.

The draws are those of the released notebook, for the same seed, where the order
that it draws from is defined: ForgeryNet's and ForgeryNIR's list files.
Elsewhere they are made in the same way from the sorted listing. The notebook
was released for `--size=large` only; the smaller size divides each of its
numbers by five.
"""

import random
from collections.abc import Mapping, Sequence

import numpy as np

from input_pipeline.benchmarks.benchmark_class import (
  CELEB,
  DFFD,
  NET,
  NIR,
  BenchmarkClass,
)
from input_pipeline.benchmarks.candidates import Candidate
from input_pipeline.benchmarks.image_datasets import NIR_METHODS
from input_pipeline.benchmarks.listing import Listing
from input_pipeline.benchmarks.owdfa_classes import OWDFA
from input_pipeline.benchmarks.picks import Pick, images_wanted, round_half_up
from input_pipeline.meta import LABELLED, UNLABELLED

# The order in which the notebook draws from a dataset with one generator.
_DRAW_ORDERS = {
  DFFD: ('faceapp', 'pggan_v2', 'stargan', 'stylegan_ffhq'),
  NIR: NIR_METHODS,
}


def draw_names(
  listings: Sequence[Listing], factor: float, seed: int
) -> dict[BenchmarkClass, list[str]]:
  """Draws names from the listing of each class.

  A novel class gets a third more names than it keeps: the notebook draws as
  many as for a known class, and `tag_images` drops the rest.

  Args:
    listings: one per class.
    factor: multiplies the counts of the class table.
    seed: the seed of every generator.

  Returns:
    The names drawn for each class, in the notebook's order.
  """
  drawn = {}
  for dataset in dict.fromkeys(each.entry.dataset for each in listings):
    of_dataset = [each for each in listings if each.entry.dataset == dataset]
    order = _DRAW_ORDERS.get(dataset)
    if order:
      of_dataset.sort(key=lambda each: order.index(each.entry.folder))
    generator = random.Random(seed)
    for listing in of_dataset:
      if order is None:
        generator = random.Random(seed)
      count = _count_to_draw(listing.entry, factor)
      drawn[listing.entry] = _draw_class(listing, count, generator, seed)
  return drawn


def _count_to_draw(entry: BenchmarkClass, factor: float) -> int:
  if entry.known:
    return images_wanted(entry, factor)
  # The notebook takes all of Celeb-DF and lets the tags cut it to 5000.
  if entry.dataset == CELEB:
    return 2**31
  return round_half_up(images_wanted(entry, factor) / 0.75)


def _draw_class(
  listing: Listing, count: int, generator: random.Random, seed: int
) -> list[str]:
  names, first = list(listing.names), list(listing.first)
  dataset = listing.entry.dataset
  if dataset == NET:
    rows = np.random.RandomState(seed).permutation(len(names))[:count]
    return [names[row] for row in rows]
  if dataset == DFFD and len(first) <= count:
    rest = min(len(names), count - len(first))
    # The notebook appends the training images to those it draws.
    return generator.sample(names, rest) + first
  if dataset == NIR:
    return generator.sample(names, min(len(names), count))
  # DFFD, if it has enough training images, and the datasets of videos. The
  # notebook does not draw from FaceForensics++; it takes every frame.
  names = first or names
  if len(names) <= count:
    return names
  # Sorted, so that the frames of a video stay together and in order.
  rows = sorted(generator.sample(range(len(names)), count))
  return [names[row] for row in rows]


def tag_images(
  drawn: Mapping[BenchmarkClass, Sequence[Candidate]],
  factor: float,
  seed: int,
) -> list[Pick]:
  """Labels three quarters of each known class; cuts novel ones to size.

  One generator serves all classes in turn. They are ordered by dataset and,
  within a dataset, from the largest to the smallest. The notebook leaves the
  order of equally large ones undefined; here their method's name decides. The
  classes that OW-DFA++ adds come last, so that they do not change the draws of
  OW-DFA.

  Args:
    drawn: the images of each class.
    factor: multiplies the counts of the class table.
    seed: the seed of the generator.

  Returns:
    The images that are kept, class by class in the order of `drawn`.
  """
  generator = random.Random(seed)
  order = sorted(
    drawn,
    key=lambda entry: (
      entry not in OWDFA,
      entry.dataset,
      -len(drawn[entry]),
      entry.method,
    ),
  )
  picks = {
    entry: _tag_class(entry, drawn[entry], factor, generator) for entry in order
  }
  return [pick for entry in drawn for pick in picks[entry]]


def _tag_class(
  entry: BenchmarkClass,
  images: Sequence[Candidate],
  factor: float,
  generator: random.Random,
) -> list[Pick]:
  if entry.known:
    share = entry.counts[0] / sum(entry.counts)
    count = round_half_up(len(images) * share)
    labelled = set(generator.sample(range(len(images)), count))
    return [
      Pick(image, entry, LABELLED if row in labelled else UNLABELLED)
      for row, image in enumerate(images)
    ]
  count = max(0, len(images) - images_wanted(entry, factor))
  dropped = set(generator.sample(range(len(images)), count))
  return [
    Pick(image, entry, UNLABELLED)
    for row, image in enumerate(images)
    if row not in dropped
  ]
