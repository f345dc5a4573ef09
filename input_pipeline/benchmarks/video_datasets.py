"""Lists the images of FaceForensics++ and Celeb-DF, which consist of videos."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Sequence

from input_pipeline.benchmarks import candidates, videos
from input_pipeline.benchmarks.benchmark_class import BenchmarkClass
from input_pipeline.benchmarks.listing import Listing, locate_dataset
from input_pipeline.forgery_types import REAL

_FF_FOLDERS = ('FaceForensics++', 'faceforensics/ffpp_video', 'faceforensics')
_CELEB_FOLDERS = ('Celeb-DF-v2', 'celebdfv2', 'Celeb-DF')
_FRAME_FOLDERS = ('images_v3', 'images', 'frames')


@dataclasses.dataclass(frozen=True)
class FrameOptions:
  """Which frames are taken of videos.

  Attributes:
    compression: the compression of FaceForensics++: 'c23' or 'c40'.
    fake_frames: number of frames of a fake video of FaceForensics++.
    real_frames: number of frames of a real video of FaceForensics++.
    celeb_frames: number of frames of a video of Celeb-DF.
    frames_to: the folder that frames of mp4 files are extracted to.
  """

  compression: str
  fake_frames: int
  real_frames: int
  celeb_frames: int
  frames_to: pathlib.Path


def list_faceforensics(
  datasets: pathlib.Path,
  classes: Sequence[BenchmarkClass],
  options: FrameOptions,
) -> list[Listing]:
  """Lists FaceForensics++, one listing per class.

  Expects `<folder>/<c23|c40>/images_v3/<video>/<number>.png` (frames extracted
  before) or `<folder>/<c23|c40>/videos/<video>.mp4`.

  Args:
    datasets: the folder that holds all datasets.
    classes: classes of FaceForensics++.
    options: which frames to take.
  """
  root = locate_dataset(
    datasets, _FF_FOLDERS, ('original_sequences', 'manipulated_sequences')
  )
  listings = []
  for entry in classes:
    below = f'{entry.folder}/{options.compression}'
    looked_for = (
      f'{{{",".join(_FF_FOLDERS)}}}/{below}/({{{",".join(_FRAME_FOLDERS)}}}/'
      '<video>/<number>.png | videos/<video>.mp4)'
    )
    listing = Listing(entry, looked_for)
    if root:
      is_real = entry.forgery_type == REAL
      _fill(
        listing,
        [root / below / name for name in _FRAME_FOLDERS],
        [root / below / 'videos'],
        options.real_frames if is_real else options.fake_frames,
        options.frames_to,
        prefix=options.compression,
      )
    listings.append(listing)
  return listings


def list_celebdf(
  datasets: pathlib.Path,
  classes: Sequence[BenchmarkClass],
  options: FrameOptions,
) -> list[Listing]:
  """Lists Celeb-DF v2, one listing per class.

  Expects `images_v1/Celeb-real/<video>/<number>.png` (frames extracted before)
  or `Celeb-real/<video>.mp4`. The arguments are those of `list_faceforensics`.
  """
  root = locate_dataset(
    datasets, _CELEB_FOLDERS, ('Celeb-real', 'images_v1/Celeb-real')
  )
  listings = []
  for entry in classes:
    looked_for = (
      f'{{{",".join(_CELEB_FOLDERS)}}}/(images_v1/{entry.folder}/<video>/'
      f'<number>.png | {entry.folder}/<video>.mp4)'
    )
    listing = Listing(entry, looked_for)
    if root:
      _fill(
        listing,
        [root / 'images_v1' / entry.folder],
        [root / entry.folder, root / entry.folder / 'videos'],
        options.celeb_frames,
        options.frames_to,
        prefix=entry.folder,
      )
    listings.append(listing)
  return listings


def _fill(
  listing: Listing,
  frame_folders: Sequence[pathlib.Path],
  video_folders: Sequence[pathlib.Path],
  per_video: int,
  frames_to: pathlib.Path,
  prefix: str,
) -> None:
  """Fills a listing from the first folder that holds frames, else videos."""
  entry = listing.entry
  for base in frame_folders:
    if names := videos.list_frames(base, per_video):
      listing.names, listing.found = names, os.fspath(base)
      listing.make_candidate = functools.partial(
        candidates.frame_candidate, os.fspath(base), entry, prefix
      )
      return
  for base in video_folders:
    problems: list[str] = []
    names = videos.list_videos(base, per_video, problems)
    if names or problems:
      listing.names, listing.found = names, os.fspath(base)
      listing.problems = problems
      listing.make_candidate = functools.partial(
        candidates.video_candidate, os.fspath(base), frames_to, entry, prefix
      )
      return
