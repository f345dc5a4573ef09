"""What an image's place says about it: its video, its frame and its names."""

import dataclasses
import pathlib
import re

from input_pipeline.benchmarks.listing import Image
from input_pipeline.benchmarks.tables import CELEB, FF, NET, NIR, ForgeryClass
from input_pipeline.benchmarks.videos import frame_number

# The released tree calls some sources otherwise than its CSVs do.
_TREE = {FF: 'faceforensics', NIR: 'ForgeryNIR'}
# Names of frames in the released tree, where its folders have been flattened.
_FF_FRAME = re.compile(r'^c\d\d-(\d{3}(?:_\d{3})?)-\d+$')
_CELEB_FRAME = re.compile(r'^Celeb-real-(id\d+_\d+)-\d+$')
_NET_FRAME = re.compile(r'^(.+)[-/]frame\d+$')
_NUMBERED = re.compile(r'^(?:frame_?)?\d+$')


def tree_folder(entry: ForgeryClass, source: str) -> str:
  """The folder in the released tree of a class's images from `source`."""
  source = source.replace('/', '-')
  return f'{entry.forgery_type}/{entry.method}/{_TREE.get(source, source)}'


def frame_image(
  base: str, entry: ForgeryClass, prefix: str, name: str
) -> Image:
  """An extracted frame `<video>/<frame>` of FaceForensics++ or Celeb-DF."""
  video, frame = name.split('/')
  flat = f'{prefix}-{video}-{frame}'
  index = frame_number(frame)
  return _of_video(f'{base}/{name}', flat, entry, prefix, video, index)


def video_image(
  base: str,
  frames_to: pathlib.Path,
  entry: ForgeryClass,
  prefix: str,
  name: str,
) -> Image:
  """A frame `<video>.mp4/<index>` that is still to be extracted."""
  file, index = name.split('/')
  video = file.rsplit('.', 1)[0]
  flat = f'{prefix}-{video}-{int(index):04d}.png'
  path = f'{frames_to}/{tree_folder(entry, entry.source)}/{flat}'
  image = _of_video(path, flat, entry, prefix, video, int(index))
  return dataclasses.replace(image, from_video=f'{base}/{file}')


def _of_video(
  path: str,
  flat: str,
  entry: ForgeryClass,
  prefix: str,
  video: str,
  index: int,
) -> Image:
  return Image(
    path,
    flat,
    img_name=video,
    image_source=entry.source,
    frame_idx=index,
    compression=prefix if entry.source == FF else '',
    video=f'{entry.source}/{entry.method}/{video}',
    footage=_footage(entry.source, video),
  )


def net_image(base: str, name: str) -> Image:
  """An image of ForgeryNet's list; `frame<number>` has its folder as video."""
  folder, _, file = name.rpartition('/')
  is_frame = file.startswith('frame')
  video = f'{NET}/{folder}' if is_frame else ''
  return Image(
    f'{base}/{name}',
    flat=name.replace('/', '-'),
    img_name=file,
    image_source=NET,
    frame_idx=frame_number(file),
    video=video,
    footage=(video,) if is_frame else (),
  )


def single_image(base: str, source: str, name: str) -> Image:
  """A picture that belongs to no video."""
  flat = name.replace('/', '-')
  return Image(f'{base}/{name}', flat, flat, source)


def released_image(base: str, source: str, nested: bool, name: str) -> Image:
  """An image of OWDFA-40, whose video its name may give away.

  Args:
    base: the class folder.
    source: of the CSV.
    nested: whether the class has several folders, each one a video.
    name: path below `base`.
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
  elif nested and folder and _NUMBERED.match(stem):
    video = f'{base}/{folder}'
    footage = (video,)
  return Image(
    f'{base}/{name}',
    flat=name.replace('/', '-'),
    img_name=file,
    image_source=source,
    frame_idx=frame_number(file) if video else 0,
    video=video,
    footage=footage,
  )


def _footage(source: str, video: str) -> tuple[str, ...]:
  """FaceForensics++ names a fake after the two recordings it is made of."""
  parts = video.split('_') if source == FF else [video]
  return tuple(f'{source}/{part}' for part in parts)
