"""The images that a benchmark may take, described from their file names."""

import dataclasses
import pathlib
import re

from input_pipeline.benchmarks.benchmark_class import (
  CELEB,
  FF,
  NET,
  NIR,
  BenchmarkClass,
)

# The released tree of images names two datasets differently from the CSVs.
_TREE_NAMES = {FF: 'faceforensics', NIR: 'ForgeryNIR'}
# Names of frames in the released tree, where folders were joined into names.
_FF_FRAME = re.compile(r'^c\d\d-(\d{3}(?:_\d{3})?)-\d+$')
_CELEB_FRAME = re.compile(r'^Celeb-real-(id\d+_\d+)-\d+$')
_NET_FRAME = re.compile(r'^(.+)[-/]frame\d+$')
_NUMBERED = re.compile(r'^(?:frame_?)?\d+$')


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
  """One image that a benchmark may take.

  Attributes:
    path: the image file, or the file that the video frame will be written to.
    flat: a file name that is unique within its class.
    img_name, image_source, frame_idx, compression: the CSV's columns of these
      names.
    video: identifies the recording that the image is a frame of; '' for a
      single picture.
    footage: identifies all recordings of its dataset that went into the image.
      Images that share one show the same people or scenes.
    from_video: the video file to extract the frame from; '' for an image file.
  """

  path: str
  flat: str
  img_name: str
  image_source: str
  frame_idx: int = 0
  compression: str = ''
  video: str = ''
  footage: tuple[str, ...] = ()
  from_video: str = ''


def tree_folder(entry: BenchmarkClass, image_source: str) -> str:
  """Returns the released tree's folder of a class's images from a dataset."""
  image_source = image_source.replace('/', '-')
  dataset = _TREE_NAMES.get(image_source, image_source)
  return f'{entry.forgery_type}/{entry.method}/{dataset}'


def frame_number(name: str) -> int:
  """Returns the last number in a file name, or 0: 'frame00012.jpg' gives 12."""
  numbers = re.findall(r'\d+', name.rsplit('.', 1)[0])
  return int(numbers[-1]) if numbers else 0


def frame_candidate(
  base: str, entry: BenchmarkClass, prefix: str, name: str
) -> Candidate:
  """Describes an extracted frame of FaceForensics++ or Celeb-DF.

  Args:
    base: the folder of the videos' folders.
    entry: the class.
    prefix: starts the flat name: the compression, or Celeb-DF's folder.
    name: `<video>/<frame>` below `base`.
  """
  video, frame = name.split('/')
  flat = f'{prefix}-{video}-{frame}'
  index = frame_number(frame)
  return _of_video(f'{base}/{name}', flat, entry, prefix, video, index)


def video_candidate(
  base: str,
  frames_to: pathlib.Path,
  entry: BenchmarkClass,
  prefix: str,
  name: str,
) -> Candidate:
  """Describes a frame that is still to be extracted.

  Args:
    base: the folder of the video files.
    frames_to: the folder that frames are extracted to.
    entry: the class.
    prefix: starts the flat name: the compression, or Celeb-DF's folder.
    name: `<video>.mp4/<index of the frame>`.
  """
  file, index = name.split('/')
  video = file.rsplit('.', 1)[0]
  flat = f'{prefix}-{video}-{int(index):04d}.png'
  path = f'{frames_to}/{tree_folder(entry, entry.dataset)}/{flat}'
  frame = _of_video(path, flat, entry, prefix, video, int(index))
  return dataclasses.replace(frame, from_video=f'{base}/{file}')


def _of_video(
  path: str,
  flat: str,
  entry: BenchmarkClass,
  prefix: str,
  video: str,
  index: int,
) -> Candidate:
  return Candidate(
    path,
    flat,
    img_name=video,  # as released: the video's name, not the frame's
    image_source=entry.dataset,
    frame_idx=index,
    compression=prefix if entry.dataset == FF else '',
    video=f'{entry.dataset}/{entry.method}/{video}',
    footage=_footage(entry.dataset, video),
  )


def forgerynet_candidate(base: str, name: str) -> Candidate:
  """Describes an image of ForgeryNet's list, `name` below `base`.

  A file `frame<number>` is a frame of the video that its folder stands for.
  """
  folder, _, file = name.rpartition('/')
  is_frame = file.startswith('frame')
  video = f'{NET}/{folder}' if is_frame else ''
  return Candidate(
    f'{base}/{name}',
    flat=name.replace('/', '-'),
    img_name=file,
    image_source=NET,
    frame_idx=frame_number(file),
    video=video,
    footage=(video,) if is_frame else (),
  )


def picture_candidate(base: str, dataset: str, name: str) -> Candidate:
  """Describes a picture, `name` below `base`, that belongs to no video."""
  flat = name.replace('/', '-')
  return Candidate(f'{base}/{name}', flat, flat, dataset)


def owdfa40_candidate(
  base: str, image_source: str, nested: bool, name: str
) -> Candidate:
  """Describes an image of OWDFA-40; its name may tell its video.

  Args:
    base: the class's folder.
    image_source: the CSV's column of that name.
    nested: whether the class has several folders, each of them one video.
    name: the path below `base`.
  """
  folder, _, file = name.rpartition('/')
  stem = file.rsplit('.', 1)[0]
  video, footage = '', ()
  if match := _FF_FRAME.match(stem):
    video, footage = f'{base}/{match[1]}', _footage(FF, match[1])
  elif match := _CELEB_FRAME.match(stem):
    video, footage = f'{base}/{match[1]}', _footage(CELEB, match[1])
  elif match := _NET_FRAME.match(name.rsplit('.', 1)[0]):
    video = f'{base}/{match[1]}'
    footage = (video,)
  # Numbered files are frames only if each folder is a video. In a class of one
  # folder they are unrelated pictures.
  elif nested and folder and _NUMBERED.match(stem):
    video = f'{base}/{folder}'
    footage = (video,)
  return Candidate(
    f'{base}/{name}',
    flat=name.replace('/', '-'),
    img_name=file,
    image_source=image_source,
    frame_idx=frame_number(file) if video else 0,
    video=video,
    footage=footage,
  )


def _footage(dataset: str, video: str) -> tuple[str, ...]:
  # FaceForensics++ names a fake after the two recordings it was made from.
  parts = video.split('_') if dataset == FF else [video]
  return tuple(f'{dataset}/{part}' for part in parts)
