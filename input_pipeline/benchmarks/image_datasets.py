"""Lists the images of ForgeryNet, DFFD, ForgeryNIR and DF^3.

Each function takes the folder that holds all datasets and the classes wanted
from its dataset, and returns one listing per class in the order given.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Sequence

from input_pipeline import image_folders
from input_pipeline.benchmarks import candidates
from input_pipeline.benchmarks.benchmark_class import DF3, BenchmarkClass
from input_pipeline.benchmarks.listing import (
  Listing,
  empty_listings,
  list_image_files,
  list_subfolders,
  locate_dataset,
  read_list_file,
)

_NET_FOLDERS = ('ForgeryNet/Training', 'ForgeryNet/unzip_files/Training')
_DFFD_FOLDERS = ('DFFD', 'DiverseFakeFaceDataset')
_NIR_FOLDERS = ('ForgeryNIR', 'ForgeryNIR/unzip_files')
_NIR_LIST = 'lists/ForgeryNIR-mix_multi.txt'
# ForgeryNIR's methods in the order in which the released notebook draws them.
NIR_METHODS = ('cyclegan', 'progan', 'stylegan', 'stylegan2')


def list_forgerynet(
  datasets: pathlib.Path, classes: Sequence[BenchmarkClass]
) -> list[Listing]:
  """Lists ForgeryNet by its file `image_list.txt`.

  A line is `<path> <2-way label> <3-way label> <16-way label>`; the last one
  is the class.
  """
  looked_for = (
    f'{{{",".join(_NET_FOLDERS)}}}/image_list.txt (last number of a line: '
    'the class) and images/<path>'
  )
  root = locate_dataset(datasets, _NET_FOLDERS, ('image_list.txt',))
  if root is None:
    return empty_listings(classes, looked_for)
  names: dict[str, list[str]] = {entry.folder: [] for entry in classes}
  for line in read_list_file(root / 'image_list.txt'):
    fields = line.split(' ')
    if fields[-1] in names:
      names[fields[-1]].append(fields[0])
  below = 'images' if (root / 'images').is_dir() else 'image'
  return [
    Listing(
      entry,
      looked_for,
      os.fspath(root / 'image_list.txt'),
      names[entry.folder],
      functools.partial(
        candidates.forgerynet_candidate, os.fspath(root / below)
      ),
      guess='a folder of frame<number>.jpg is one video',
    )
    for entry in classes
  ]


def list_dffd(
  datasets: pathlib.Path, classes: Sequence[BenchmarkClass]
) -> list[Listing]:
  """Lists DFFD: `<method>/<folder>/<image>`.

  Folders with "train" in their name become `Listing.first`. The released order
  is that of an unpublished list; here names are sorted.
  """
  root = locate_dataset(
    datasets, _DFFD_FOLDERS, [entry.folder for entry in classes]
  )
  listings = []
  for entry in classes:
    looked_for = (
      f'{{{",".join(_DFFD_FOLDERS)}}}/{entry.folder}/<folder>/<image>, '
      'folders with "train" first, those with "mask" not at all'
    )
    listing = Listing(entry, looked_for)
    folders = list_subfolders(root / entry.folder) if root else []
    if root and folders:
      base = root / entry.folder
      listing.found = os.fspath(base)
      parts: tuple[list[str], list[str]] = [], []
      for name in folders:
        if 'mask' not in name:
          images = list_image_files(base / name)
          parts['train' in name].extend(f'{name}/{image}' for image in images)
      listing.names, listing.first = parts
      listing.make_candidate = functools.partial(
        candidates.picture_candidate, os.fspath(base), entry.dataset
      )
    listings.append(listing)
  return listings


def list_forgerynir(
  datasets: pathlib.Path, classes: Sequence[BenchmarkClass]
) -> list[Listing]:
  """Lists ForgeryNIR by its file `lists/ForgeryNIR-mix_multi.txt`.

  Without the file the folders `ForgeryNIR-mix/<method>` are listed. Two methods
  that the benchmark leaves out are listed after `classes`, because the released
  notebook draws from them between the two that it keeps.
  """
  looked_for = (
    f'{{{",".join(_NIR_FOLDERS)}}}/{_NIR_LIST} (lines '
    '<folder>/<method>/<image>) or ForgeryNIR-mix/<method>/<image>'
  )
  root = locate_dataset(datasets, _NIR_FOLDERS, (_NIR_LIST, 'ForgeryNIR-mix'))
  if root is None:
    return empty_listings(classes, looked_for)
  listed = (root / _NIR_LIST).exists()
  names = _forgerynir_names(root, listed)
  wanted = {entry.folder: entry for entry in classes}
  extra = [
    dataclasses.replace(classes[0], method=method, folder=method)
    for method in NIR_METHODS
    if method not in wanted
  ]
  return [
    Listing(
      entry,
      looked_for,
      os.fspath(root / (_NIR_LIST if listed else 'ForgeryNIR-mix')),
      names[entry.folder],
      functools.partial(
        candidates.picture_candidate, os.fspath(root), entry.dataset
      ),
      guess='' if listed else 'no list file: its folders are read instead',
    )
    for entry in [*classes, *extra]
  ]


def _forgerynir_names(root: pathlib.Path, listed: bool) -> dict[str, list[str]]:
  """Returns the images of each method, from the list file or the folders."""
  found: dict[str, list[str]] = {method: [] for method in NIR_METHODS}
  if listed:
    for line in read_list_file(root / _NIR_LIST):
      method = line.split('/')[-2] if '/' in line else ''
      if method in found:
        found[method].append(line)
  else:
    for method, names in found.items():
      below = f'ForgeryNIR-mix/{method}'
      names += [f'{below}/{name}' for name in list_image_files(root / below)]
  return found


def list_class_folders(
  datasets: pathlib.Path, classes: Sequence[BenchmarkClass]
) -> list[Listing]:
  """Lists DF^3, or another dataset that the table of added classes names.

  Images are found anywhere below `<dataset>/<folder of the class>`.
  """
  listings = []
  for entry in classes:
    places = ('DF3', 'DF^3') if entry.dataset == DF3 else (entry.dataset,)
    looked_for = f'{{{",".join(places)}}}/{entry.folder}/**/<image>'
    listing = Listing(entry, looked_for, guess=entry.guess)
    root = locate_dataset(datasets, places, (entry.folder,))
    if root:
      base = root / entry.folder
      listing.found = os.fspath(base)
      scan = image_folders.scan_images(base)
      listing.names = [os.path.relpath(path, base) for path in scan.images]
      listing.problems = [*scan.unreadable.values()]
      listing.make_candidate = functools.partial(
        candidates.picture_candidate, os.fspath(base), entry.dataset
      )
    listings.append(listing)
  return listings
