"""How each source dataset of OW-DFA lies on disk, and the listing of it.

Every function takes the datasets' folder, the classes wanted of its dataset and
the options, and returns one `Listing` per class, in the order given.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Sequence

from input_pipeline import folder
from input_pipeline.benchmarks import naming, tables, videos
from input_pipeline.benchmarks.listing import (
  Listing,
  image_files,
  locate,
  missing_source,
  read_lines,
  subfolders,
)
from input_pipeline.benchmarks.tables import ForgeryClass

FF_PLACES = ('FaceForensics++', 'faceforensics/ffpp_video', 'faceforensics')
CELEB_PLACES = ('Celeb-DF-v2', 'celebdfv2', 'Celeb-DF')
NET_PLACES = ('ForgeryNet/Training', 'ForgeryNet/unzip_files/Training')
DFFD_PLACES = ('DFFD', 'DiverseFakeFaceDataset')
NIR_PLACES = ('ForgeryNIR', 'ForgeryNIR/unzip_files')
_FRAMES = ('images_v3', 'images', 'frames')  # folders of extracted frames
_NIR_LIST = 'lists/ForgeryNIR-mix_multi.txt'
# The folders in the order in which the released notebook draws from them.
NIR_FOLDERS = ('cyclegan', 'progan', 'stylegan', 'stylegan2')


@dataclasses.dataclass(frozen=True)
class Layout:
  """Which version of the datasets is wanted.

  frames_per_video: of FaceForensics++ fakes, its real videos, Celeb-DF.
  frames_to: folder that frames of mp4 files are extracted to.
  """

  compression: str
  frames_per_video: tuple[int, int, int]
  frames_to: pathlib.Path


def faceforensics(
  datasets: pathlib.Path, classes: Sequence[ForgeryClass], layout: Layout
) -> list[Listing]:
  """FaceForensics++: `<folder>/<c23|c40>/images_v3/<video>/<n>.png` or mp4."""
  root = locate(
    datasets, FF_PLACES, ('original_sequences', 'manipulated_sequences')
  )
  listings = []
  for entry in classes:
    below = f'{entry.folder}/{layout.compression}'
    looked_for = (
      f'{{{",".join(FF_PLACES)}}}/{below}/({{{",".join(_FRAMES)}}}/<video>/'
      '<number>.png | videos/<video>.mp4)'
    )
    per_video = layout.frames_per_video[entry.forgery_type == tables.REAL]
    listing = Listing(entry, looked_for)
    if root:
      frames = [root / below / name for name in _FRAMES]
      _of_videos(
        listing,
        frames,
        [root / below / 'videos'],
        per_video,
        layout,
        layout.compression,
      )
    listings.append(listing)
  return listings


def celebdf(
  datasets: pathlib.Path, classes: Sequence[ForgeryClass], layout: Layout
) -> list[Listing]:
  """Celeb-DF v2: `Celeb-real/<video>.mp4` or frames in `images_v1`."""
  root = locate(datasets, CELEB_PLACES, ('Celeb-real', 'images_v1/Celeb-real'))
  listings = []
  for entry in classes:
    looked_for = (
      f'{{{",".join(CELEB_PLACES)}}}/(images_v1/{entry.folder}/<video>/'
      f'<number>.png | {entry.folder}/<video>.mp4)'
    )
    listing = Listing(entry, looked_for)
    if root:
      frames = [root / 'images_v1' / entry.folder]
      mp4 = [root / entry.folder, root / entry.folder / 'videos']
      per_video = layout.frames_per_video[2]
      _of_videos(listing, frames, mp4, per_video, layout, entry.folder)
    listings.append(listing)
  return listings


def forgerynet(
  datasets: pathlib.Path, classes: Sequence[ForgeryClass], layout: Layout
) -> list[Listing]:
  """ForgeryNet: `image_list.txt`, lines `<path> <2-way> <3-way> <16-way>`."""
  looked_for = (
    f'{{{",".join(NET_PLACES)}}}/image_list.txt (last number of a line: '
    'the class) and images/<path>'
  )
  root = locate(datasets, NET_PLACES, ('image_list.txt',))
  if root is None:
    return missing_source(classes, looked_for)
  of_class: dict[str, list[str]] = {entry.folder: [] for entry in classes}
  for line in read_lines(root / 'image_list.txt'):
    fields = line.split(' ')
    if fields[-1] in of_class:
      of_class[fields[-1]].append(fields[0])
  below = 'images' if (root / 'images').is_dir() else 'image'
  return [
    Listing(
      entry,
      looked_for,
      os.fspath(root / 'image_list.txt'),
      of_class[entry.folder],
      functools.partial(naming.net_image, os.fspath(root / below)),
      guess='a folder of frame<number>.jpg is one video',
    )
    for entry in classes
  ]


def dffd(
  datasets: pathlib.Path, classes: Sequence[ForgeryClass], layout: Layout
) -> list[Listing]:
  """DFFD: `<method>/<...train...>/<image>`, then its other folders' images.

  The released order is that of an unpublished list; ours is sorted.
  """
  root = locate(datasets, DFFD_PLACES, [entry.folder for entry in classes])
  listings = []
  for entry in classes:
    looked_for = (
      f'{{{",".join(DFFD_PLACES)}}}/{entry.folder}/<folder>/<image>, '
      'folders with "train" first, those with "mask" not at all'
    )
    listing = Listing(entry, looked_for)
    folders = subfolders(root / entry.folder) if root else []
    if root and folders:
      base = root / entry.folder
      listing.found = os.fspath(base)
      parts: tuple[list[str], list[str]] = [], []
      for name in folders:
        if 'mask' not in name:
          images = image_files(base / name)
          parts['train' in name].extend(f'{name}/{image}' for image in images)
      listing.names, listing.first = parts
      listing.image = functools.partial(
        naming.single_image, os.fspath(base), entry.source
      )
    listings.append(listing)
  return listings


def forgerynir(
  datasets: pathlib.Path, classes: Sequence[ForgeryClass], layout: Layout
) -> list[Listing]:
  """ForgeryNIR: the lines of `lists/ForgeryNIR-mix_multi.txt`.

  Without the list the folders `ForgeryNIR-mix/<method>` are listed. Also lists
  the two methods that the benchmark leaves out: the released notebook draws
  from them between the two it keeps.
  """
  looked_for = (
    f'{{{",".join(NIR_PLACES)}}}/{_NIR_LIST} (lines <folder>/<method>/<image>) '
    'or ForgeryNIR-mix/<method>/<image>'
  )
  root = locate(datasets, NIR_PLACES, (_NIR_LIST, 'ForgeryNIR-mix'))
  if root is None:
    return missing_source(classes, looked_for)
  of_folder: dict[str, list[str]] = {name: [] for name in NIR_FOLDERS}
  listed = (root / _NIR_LIST).exists()
  if listed:
    for line in read_lines(root / _NIR_LIST):
      method = line.split('/')[-2] if '/' in line else ''
      if method in of_folder:
        of_folder[method].append(line)
  else:
    for method, names in of_folder.items():
      below = f'ForgeryNIR-mix/{method}'
      names += [f'{below}/{name}' for name in image_files(root / below)]
  wanted = {entry.folder: entry for entry in classes}
  extra = [
    dataclasses.replace(classes[0], method=name, folder=name)
    for name in NIR_FOLDERS
    if name not in wanted
  ]
  return [
    Listing(
      entry,
      looked_for,
      os.fspath(root / (_NIR_LIST if listed else 'ForgeryNIR-mix')),
      of_folder[entry.folder],
      functools.partial(naming.single_image, os.fspath(root), entry.source),
      guess='' if listed else 'no list file: folders in its place',
    )
    for entry in [*classes, *extra]
  ]


def aigc(
  datasets: pathlib.Path, classes: Sequence[ForgeryClass], layout: Layout
) -> list[Listing]:
  """DF^3, or another source named in the table: images below `<folder>`."""
  listings = []
  for entry in classes:
    places = ('DF3', 'DF^3') if entry.source == tables.DF3 else (entry.source,)
    looked_for = f'{{{",".join(places)}}}/{entry.folder}/**/<image>'
    listing = Listing(entry, looked_for, guess=entry.guess)
    root = locate(datasets, places, (entry.folder,))
    if root:
      base = root / entry.folder
      listing.found = os.fspath(base)
      paths = folder.list_images(base)
      listing.names = [os.path.relpath(path, base) for path in paths]
      listing.image = functools.partial(
        naming.single_image, os.fspath(base), entry.source
      )
    listings.append(listing)
  return listings


def _of_videos(
  listing: Listing,
  frames: Sequence[pathlib.Path],
  mp4: Sequence[pathlib.Path],
  per_video: int,
  layout: Layout,
  prefix: str,
) -> None:
  """Fills a listing from the first folder that has frames, or videos."""
  entry = listing.entry
  for base in frames:
    if names := videos.list_frames(base, per_video):
      listing.names, listing.found = names, os.fspath(base)
      listing.image = functools.partial(
        naming.frame_image, os.fspath(base), entry, prefix
      )
      return
  for base in mp4:
    problems: list[str] = []
    names = videos.list_videos(base, per_video, problems)
    if names or problems:
      listing.names, listing.found = names, os.fspath(base)
      listing.problems = problems
      listing.image = functools.partial(
        naming.video_image, os.fspath(base), layout.frames_to, entry, prefix
      )
      return


# By source; every other source is a folder of a user's table.
LISTERS = {
  tables.FF: faceforensics,
  tables.CELEB: celebdf,
  tables.NET: forgerynet,
  tables.DFFD: dffd,
  tables.NIR: forgerynir,
}


def list_classes(
  datasets: pathlib.Path, classes: Sequence[ForgeryClass], layout: Layout
) -> list[Listing]:
  """A listing of every class, and those it is drawn with (ForgeryNIR)."""
  listings = []
  for source in dict.fromkeys(entry.source for entry in classes):
    of_source = [entry for entry in classes if entry.source == source]
    lister = LISTERS.get(source, aigc)
    listings += lister(datasets, of_source, layout)
  return listings
