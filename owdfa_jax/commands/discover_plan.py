"""Checks what `owdfa discover` is given, and decides how it is done."""

import dataclasses
import os
import pathlib
import shlex
from collections.abc import Iterable, Mapping, Sequence

import ml_collections

from input_pipeline.cutting_rule import (
  Cutting,
  choose_cutting,
  look_at_images,
  unlike_kinds,
)
from input_pipeline.duplicates import duplicate_groups
from input_pipeline.errors import UsageError, UserError
from input_pipeline.escape import quoted, terminal
from input_pipeline.image_folders import (
  FolderScan,
  list_class_names,
  scan_images,
  skipped_lines,
)
from input_pipeline.name_rule import why_taken
from input_pipeline.pack_options import Options
from input_pipeline.text_tables import counted
from input_pipeline.video_frames import is_video
from owdfa_jax import configs
from owdfa_jax.commands.discover_record import (
  DiscoverRecord,
  begin_anew_if_unpacked,
  describe_files,
  read_discover_record,
  write_discover_record,
)
from owdfa_jax.evaluation.report_files import (
  HEAP_ATTRIBUTIONS_FILE,
  REPORT_FILE,
)

# Up to this side of its input, the small network is trained.
_SMALL_SIDE = 127
# A source with fewer images is named in a warning.
_FEW_IMAGES = 20
# A split needs this many images of one source, or in the heap.
_FEWEST_IMAGES = 3


@dataclasses.dataclass(frozen=True)
class Discovery:
  """What is to be discovered, checked, and what was decided about it.

  Attributes:
    folder: of the run; all files are in it.
    record: the options, and the decisions.
    heap: the images of unknown source.
  """

  folder: pathlib.Path
  record: DiscoverRecord
  heap: FolderScan

  @property
  def meta_csv(self) -> pathlib.Path:
    """The list of images; it is there once they are prepared."""
    return self.folder / 'data' / 'meta.csv'

  @property
  def packed(self) -> pathlib.Path:
    """The packed directory; it is there once it is complete."""
    return self.folder / 'data' / 'packed'

  @property
  def heap_table(self) -> pathlib.Path:
    """The sources of the heap's images; there once it is complete."""
    return self.folder / HEAP_ATTRIBUTIONS_FILE

  @property
  def is_evaluated(self) -> bool:
    """Whether the network is trained and evaluated."""
    return (self.folder / REPORT_FILE).exists()


def open_discovery(
  asked: DiscoverRecord, folder: pathlib.Path, heap: FolderScan
) -> Discovery:
  """Checks a discovery, and decides how it is done or reads what was decided.

  Args:
    asked: the options.
    folder: of the run, absolute; new, or begun by the same command, or by
      another one that has packed nothing.
    heap: the images of unknown source.

  Raises:
    UserError: the images do not do, or the folder is of something else.
  """
  # First, since it takes no time.
  packing_options(dataclasses.replace(asked, tiles=asked.tiles_given or 0))
  training_config(asked)
  before = read_discover_record(folder)
  names = list_class_names(pathlib.Path(asked.known))
  scans = {n: scan_images(os.path.join(asked.known, n)) for n in names}
  known = [path for scan in scans.values() for path in scan.images]
  now = dataclasses.replace(
    asked,
    known_files=describe_files(known),
    heap_files=describe_files(heap.images),
  )
  files = Discovery(folder, now, heap)
  if before is not None and begin_anew_if_unpacked(
    before, now, folder, files.meta_csv, files.packed
  ):
    before = None
  if before is not None:
    now = dataclasses.replace(now, tiles=before.tiles, reason=before.reason)
    if (folder / REPORT_FILE).exists() and before.settings != now.settings:
      given = [f'--config.{setting}' for setting in before.settings]
      raise UserError(
        f'the run is complete: {folder} was trained with '
        f'{shlex.join(given) or "no --config.FIELD=VALUE"}; give the same, or '
        'another --out'
      )
  else:
    _check_images(now, folder, known, heap)
    top = scan_images(asked.known, deep=False)
    check_no_videos([*scans.values(), top], '--known')
    check_no_videos([heap], '--images')
    for line in _remarks(scans, known, heap):
      print(terminal(line))
    now = _decide(now, [*known, *heap.images])
  if now != before:
    write_discover_record(folder, now)
  return Discovery(folder, now, heap)


def decision_lines(discovery: Discovery) -> list[str]:
  """Returns what was decided, a line each, with the option that changes it.

  Args:
    discovery: what is to be done.
  """
  record = discovery.record
  what = f'{record.tiles} tiles of {record.size} x {record.size} pixels of each'
  if not record.tiles:
    faces = record.crop != 'none'
    what = f'{"faces" if faces else "whole images"}, resized to {record.size}'
  network = 'small network' if _is_small(record) else 'ResNet-50'
  method = 'Trace in rounds' if record.rounds else 'Trace'
  lines = [
    f'the network sees {what}: {record.reason} (--tiles, --crop and --size '
    'change it)',
    f'method: {method}, {network}',
  ]
  if record.crop == 'none':
    lines.append(
      'if only the faces of your images are forged, begin anew with '
      '--crop=opencv'
    )
  return lines


def packing_options(record: DiscoverRecord) -> Options:
  """Returns the options of packing.

  Raises:
    UserError: a value is out of range, or two exclude each other.
  """
  return Options(
    size=record.size,
    tiles=record.tiles,
    crop=record.crop,
    on_error='skip',
  )


def training_config(record: DiscoverRecord) -> ml_collections.ConfigDict:
  """Returns the locked config of the training, with the user's settings.

  Raises:
    UserError: a setting does not fit.
  """
  benchmark = 'folder64' if _is_small(record) else 'folder'
  config = (
    configs.load('staged', f'trace,{benchmark}')
    if record.rounds
    else configs.load('trace', benchmark)
  )
  config.lock()
  for setting in record.settings:
    if setting.partition('=')[0] in ('data.path', 'eval.split'):
      raise UsageError(
        f'a setting of the discovery itself: --config.{setting}; leave it out'
      )
    configs.override(config, setting, f'--config.{setting}')
  return config


def _check_images(
  record: DiscoverRecord,
  folder: pathlib.Path,
  known: Sequence[str],
  heap: FolderScan,
) -> None:
  """Raises `UserError` if there is nothing to discover among the images."""
  for option, places in (
    ('--known', (record.known,)),
    ('--images', record.images),
  ):
    for place in places:
      if folder.is_relative_to(place):
        raise UserError(
          f'the run would lie among the images: --out={folder} is in '
          f'{option}={place}; choose another --out'
        )
  if not known:
    raise UserError(
      f'no known images: --known={record.known} has none in its folders; put '
      'the images of each source into a folder of its own'
    )
  sources = {os.path.relpath(x, record.known).split(os.sep)[0] for x in known}
  for name in sorted(sources):
    if why := why_taken(name):
      raise UserError(
        f'not a name for a known source: --known={record.known} has the folder '
        f'{quoted(name)} ({why}); rename it, such as to '
        f'{quoted(name.strip() + " (known)")}'
      )
  has_number = any(x.startswith('data.num_classes=') for x in record.settings)
  if len(sources) < 2 and not has_number:
    raise UserError(
      f'too few known sources: --known={record.known} has one, and an estimate '
      'of the number of sources needs two; give --config.data.num_classes=N, '
      'the number of sources, known ones included'
    )
  if both := sorted({*known} & {*heap.images}):
    raise UserError(
      f'known images in the heap: {len(both)} of --images are in '
      f'--known={record.known} too, such as {both[0]}; give other images'
    )
  if _all_are_copies(known, heap.images):
    raise UserError(
      'nothing to discover: each image of --images is a copy of a known one '
      f'({len(heap.images)} in all); give other images'
    )


def check_no_videos(scans: Iterable[FolderScan], option: str) -> None:
  """Raises `UserError` if there are videos: training reads images alone.

  Args:
    scans: the files.
    option: what names them.
  """
  videos = [path for scan in scans for path in scan.others if is_video(path)]
  if videos:
    raise UserError(
      f'videos, not images: {option} has {len(videos)}, such as {videos[0]}; '
      'put frames of them into the folder (ffmpeg -i VIDEO -vf fps=1 '
      'FRAMES/%04d.png) and the videos elsewhere'
    )


def _all_are_copies(known: Sequence[str], heap: Sequence[str]) -> bool:
  """Returns whether each file of a heap has the bytes of a known one."""
  sizes = {os.path.getsize(path) for path in known}
  # Most heaps have a file of a size of its own, and nothing is read.
  if not all(os.path.getsize(path) in sizes for path in heap):
    return False
  groups = duplicate_groups([*known, *heap])
  copied = {row for group in groups if min(group) < len(known) for row in group}
  return copied.issuperset(range(len(known), len(known) + len(heap)))


def _remarks(
  scans: Mapping[str, FolderScan], known: Sequence[str], heap: FolderScan
) -> list[str]:
  """Returns lines on the images; raises `UserError` if they are too few."""
  counts = {name: len(scan.images) for name, scan in scans.items()}
  counts = {name: count for name, count in counts.items() if count}
  if max(*counts.values(), len(heap.images)) < _FEWEST_IMAGES:
    raise UserError(
      f'too few images: no source of --known and no --images has '
      f'{_FEWEST_IMAGES}, so none can be held out for the test; give more'
    )
  total = counted(len(known), 'image')
  lines = [
    f'{total} of {counted(len(counts), "known source")}, '
    f'{counted(len(heap.images), "image")} in the heap'
  ]
  few = [f'{n} ({c})' for n, c in counts.items() if c < _FEW_IMAGES]
  if len(heap.images) < _FEW_IMAGES:
    few.append(f'the heap ({len(heap.images)})')
  if few:
    lines.append(
      f'warning: few images: {", ".join(few)}; with fewer than {_FEW_IMAGES}, '
      'expect wrong names'
    )
  lines += skipped_lines([*scans.values(), heap])
  kinds = look_at_images(known), look_at_images(heap.images)
  return lines + unlike_kinds(*kinds)


def _decide(record: DiscoverRecord, paths: Sequence[str]) -> DiscoverRecord:
  """Returns the record with the decision between tiles and whole images."""
  if record.tiles_given is not None:
    cutting = Cutting(record.tiles_given, 'as --tiles says')
  elif record.crop != 'none':
    cutting = Cutting(0, f'faces are cut out, as --crop={record.crop} says')
  else:
    kinds = look_at_images(paths)
    cutting = choose_cutting(kinds, record.size, len(paths))
  return dataclasses.replace(record, tiles=cutting.tiles, reason=cutting.reason)


def _is_small(record: DiscoverRecord) -> bool:
  return record.size <= _SMALL_SIDE
