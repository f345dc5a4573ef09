"""Chooses the images of OW-DFA (Protocols 1, 2) and OW-DFA++ (3, 4)."""

import argparse
import pathlib
from collections.abc import Sequence

from input_pipeline.benchmarks import (
  aigc_classes,
  draws,
  image_datasets,
  owdfa_classes,
  split_rules,
  video_datasets,
)
from input_pipeline.benchmarks.benchmark_class import (
  CELEB,
  DFFD,
  FF,
  NET,
  NIR,
  BenchmarkClass,
)
from input_pipeline.benchmarks.listing import Listing
from input_pipeline.benchmarks.picks import Pick, ProtocolCsv
from input_pipeline.benchmarks.video_datasets import FrameOptions

# The released files' names; `--size=large` adds `large_`.
_CSV_NAMES = {
  1: 'Protocol1_openset_fake_{}meta.csv',
  2: 'Protocol2_openset_real_fake_{}meta.csv',
  3: 'Protocol3_openset_fake_aigc_{}meta.csv',
  4: 'Protocol4_openset_real_fake_aigc_{}meta.csv',
}
_VIDEO_DATASETS = {
  FF: video_datasets.list_faceforensics,
  CELEB: video_datasets.list_celebdf,
}
# Any other dataset comes from a table of added classes.
_IMAGE_DATASETS = {
  NET: image_datasets.list_forgerynet,
  DFFD: image_datasets.list_dffd,
  NIR: image_datasets.list_forgerynir,
}
# Packing's default seed. A CSV without a `split` column does not carry a seed,
# so that packing will split it with this one.
_PACKING_SEED = 2000


def choose_owdfa_images(
  arguments: argparse.Namespace, factor: float
) -> tuple[list[Listing], list[ProtocolCsv]]:
  """Chooses the images of both protocols of OW-DFA or OW-DFA++.

  Args:
    arguments: the arguments of `prepare owdfa` or `prepare owdfapp`.
    factor: multiplies the counts of the class table.

  Returns:
    What each class's dataset offers, and the content of the CSVs.
  """
  aigc: Sequence[BenchmarkClass] = ()
  numbers = (1, 2)
  if arguments.benchmark == 'owdfapp':
    aigc, numbers = aigc_classes.read_aigc_classes(arguments.table), (3, 4)
  classes = owdfa_classes.owdfa_protocol(numbers[1], aigc)
  times = owdfa_classes.SIZE_FACTORS[arguments.size]
  # The released notebook takes 10, 100 and 50 frames for the large size.
  options = FrameOptions(
    arguments.compression,
    fake_frames=2 * times,
    real_frames=20 * times,
    celeb_frames=10 * times,
    frames_to=arguments.out / 'frames',
  )
  listings = _list_images(arguments.datasets, classes, options)
  picks = _pick_images(listings, classes, factor, arguments.seed)
  csvs = []
  for number in numbers:
    of_protocol = owdfa_classes.owdfa_protocol(number, aigc)
    ids = {entry: label for label, entry in enumerate(of_protocol)}
    kept = [pick for pick in picks if pick.entry in ids]
    if arguments.split == 'video':
      kept = split_rules.split_by_video(kept, arguments.seed)
    elif arguments.split == 'stratified':
      kept = split_rules.split_stratified(kept, arguments.seed)
    else:
      labels = [ids[pick.entry] for pick in kept]
      kept = split_rules.split_as_released(kept, labels, _PACKING_SEED)
    size = '' if arguments.size == 'benchmark' else f'{arguments.size}_'
    name = _CSV_NAMES[number].format(size)
    csvs.append(ProtocolCsv(name, of_protocol, kept))
  listings = [each for each in listings if each.entry in classes]
  return listings, csvs


def _list_images(
  datasets: pathlib.Path,
  classes: Sequence[BenchmarkClass],
  options: FrameOptions,
) -> list[Listing]:
  """Lists every class, and two of ForgeryNIR that are only drawn from."""
  listings = []
  for dataset in dict.fromkeys(entry.dataset for entry in classes):
    of_dataset = [entry for entry in classes if entry.dataset == dataset]
    if list_videos := _VIDEO_DATASETS.get(dataset):
      listings += list_videos(datasets, of_dataset, options)
    else:
      list_dataset = _IMAGE_DATASETS.get(
        dataset, image_datasets.list_class_folders
      )
      listings += list_dataset(datasets, of_dataset)
  return listings


def _pick_images(
  listings: Sequence[Listing],
  classes: Sequence[BenchmarkClass],
  factor: float,
  seed: int,
) -> list[Pick]:
  """Draws and tags the images of the protocol with real faces.

  The other protocol has the same images and tags without the real faces.
  """
  drawn = draws.draw_names(listings, factor, seed)
  images = {
    listing.entry: [
      listing.make_candidate(name) for name in drawn[listing.entry]
    ]
    for listing in listings
    if listing.entry in classes and listing.make_candidate is not None
  }
  return draws.tag_images(images, factor, seed)
