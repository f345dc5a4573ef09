"""Makes a meta CSV from folders of images, one folder for each class.

Known classes get the first ids, in the order given. Novel classes follow,
sorted by name. Files are sorted too, so the same folders give the same CSV.
"""

import os
import pathlib
from collections.abc import Callable, Mapping, Sequence

from input_pipeline import meta
from input_pipeline.class_names import typed
from input_pipeline.duplicates import duplicate_groups, duplicate_lines
from input_pipeline.errors import UserError, check_choice
from input_pipeline.escape import distinct
from input_pipeline.files import absolute
from input_pipeline.folder_checks import (
  check_excluded,
  check_outside,
  check_test_classes,
  nested_lines,
  order_classes,
)
from input_pipeline.folder_split import (
  FolderImage,
  check_split,
  draw_labelled,
  split_by_group,
)
from input_pipeline.forgery_types import UNKNOWN_TYPE
from input_pipeline.image_folders import (
  FolderScan,
  scan_images,
  skipped_lines,
)
from input_pipeline.number_ranges import LARGEST_SEED, NumberRange, whole
from input_pipeline.pack_options import ON_ERROR
from input_pipeline.text_tables import aligned, counted


def prepare_folder(
  root: pathlib.Path,
  known: Sequence[str],
  out: pathlib.Path,
  *,
  labelled_fraction: float = 0.75,
  seed: int = 0,
  exclude: Sequence[str] = (),
  test_root: pathlib.Path | None = None,
  unlabelled: pathlib.Path | FolderScan | None = None,
  on_error: str = 'stop',
  split: str = 'by_image',
  group_by: str | None = None,
  test_share: float | None = None,
) -> list[str]:
  """Writes `out`/meta.csv.

  One `RandomState(seed)` draws the labelled images: for each known class in
  the order given, the first int(labelled_fraction * n) of its permutation(n)
  over the sorted files. With `split='by_group'` the test images are drawn
  first, and n blocks take the place of n files.

  Args:
    root: a folder with one folder for each class.
    known: names of the known classes; their ids are 0, 1, ... in this order.
    out: folder of the CSV; it is made if need be.
    labelled_fraction: share of each known class that is labelled, in (0, 1].
    seed: the seed of the labelled draw.
    exclude: class folders to leave out, below `root` and `test_root`.
    test_root: class folders of the test set; None: packing makes the split.
    unlabelled: a folder of images of unknown class, or a scan of some.
    on_error: 'stop' or 'skip' at links, folders and files that cannot be read.
    split: 'by_image': packing makes the split, unless there is a `test_root`;
      'by_group': no block of images is on both sides.
    group_by: the rule that names blocks, see `blocks.block_rule`.
    test_share: the share of the test set of 'by_group'; None is 0.2.

  Returns:
    The lines of a summary.

  Raises:
    UserError: an argument is out of range, a folder or a name is wrong, or
      something cannot be read.
  """
  check_choice('--on_error', on_error, ON_ERROR)
  NumberRange(0, 1, above=True).check('--labelled_fraction', labelled_fraction)
  whole(0, LARGEST_SEED).check('--seed', seed)
  name_block = check_split(
    split, group_by, test_share, has_test_root=test_root is not None
  )
  names = order_classes(root, known, exclude, needs_novel=unlabelled is None)
  _check_folders(root, exclude, test_root, unlabelled)
  side = None if test_root is None else 'train'
  scanner = _Scanner(on_error)
  roots = [root] if test_root is None else [root, test_root]
  loose = {place: _scan(place, on_error, deep=False) for place in roots}
  images = _class_images(root, names, side, scanner.scan)
  images += _unlabelled_images(unlabelled, side, scanner.scan)
  if name_block is not None:
    images = split_by_group(images, name_block, test_share, seed)
  images = draw_labelled(images, len(known), labelled_fraction, seed)
  if test_root is not None:
    present = check_test_classes(test_root, names, exclude)
    there = [name if name in present else None for name in names]
    images += _class_images(test_root, there, 'test', scanner.scan)
  # Before anything is written: a file may turn out to be unreadable.
  duplicates = _duplicates(images)
  written = _write(out / 'meta.csv', images)
  return [
    *_class_table(images, names, len(known)),
    *skipped_lines([*loose.values(), *scanner.found]),
    *_loose_lines(loose),
    *nested_lines(root, names, [image.path for image in images]),
    *duplicates,
    *_split_lines(images, name_block is not None, unlabelled is not None),
    written,
  ]


def _check_folders(
  root: pathlib.Path,
  exclude: Sequence[str],
  test_root: pathlib.Path | None,
  unlabelled: pathlib.Path | FolderScan | None,
) -> None:
  """Raises `UserError` if a folder is in another, or excludes no folder."""
  check_excluded(exclude, root, test_root)
  for option, other in ('test_root', test_root), ('unlabelled', unlabelled):
    if isinstance(other, pathlib.Path):
      check_outside(root, other, option, exclude)


def _write(csv: pathlib.Path, images: Sequence[FolderImage]) -> str:
  """Writes the meta CSV; returns a line that says so."""
  # A user who gave the wrong folder should see that an older CSV is gone.
  done = 'replaced' if csv.exists() else 'wrote'
  meta.write_meta(csv, [_meta_row(image) for image in images])
  return f'{done} {csv}: {len(images)} images'


def _loose_lines(loose: Mapping[pathlib.Path, FolderScan]) -> list[str]:
  """Returns lines on images that lie beside the class folders."""
  return [
    f'skipped, in no class folder: {counted(len(found.images), "image")}, '
    f'directly in {place}'
    for place, found in loose.items()
    if found.images
  ]


def _split_lines(
  images: Sequence[FolderImage], in_blocks: bool, has_unlabelled: bool
) -> list[str]:
  """Returns lines on how the images are split, if something is to be said."""
  if in_blocks:
    sides = [*{image.block: image.split for image in images}.values()]
    return [
      f'{len(sides)} blocks of images that belong together, '
      f'{sides.count("test")} of them for the test'
    ]
  if images[0].split is None:
    others = ' and of the unlabelled images' if has_unlabelled else ''
    return [
      f'packing will hold out 20 % of each class{others} as the test set; '
      '--test_root of `prepare folder` gives a test set of your own'
    ]
  return []


class _Scanner:
  """Looks into folders, and keeps what it finds for the summary."""

  def __init__(self, on_error: str) -> None:
    self.found: list[FolderScan] = []
    self._on_error = on_error

  def scan(self, folder: pathlib.Path) -> FolderScan:
    self.found.append(_scan(folder, self._on_error))
    return self.found[-1]


def _scan(
  folder: pathlib.Path, on_error: str, *, deep: bool = True
) -> FolderScan:
  """Returns what is in a folder; 'stop' refuses what cannot be read."""
  scan = scan_images(folder, deep=deep)
  if scan.unreadable and on_error == 'stop':
    raise UserError(
      f'{next(iter(scan.unreadable.values()))}, or leave such files out with '
      '--on_error skip'
    )
  return scan


def _class_images(
  root: pathlib.Path,
  names: Sequence[str | None],
  split: str | None,
  scan: Callable[[pathlib.Path], FolderScan],
) -> list[FolderImage]:
  """Returns the images of all classes, unlabelled; None keeps an id free."""
  images = []
  for label, name in enumerate(names):
    if name is not None:
      found = scan(root / name)
      if not found.images:
        nothing = _nothing_in(root / name, found)
        raise UserError(
          f'empty class: {nothing}; add some or leave it out with '
          f'--exclude {typed([name])}'
        )
      images += [
        FolderImage(
          path, name, label, meta.UNLABELLED, split, _below(root / name, path)
        )
        for path in found.images
      ]
  return images


def _below(folder: pathlib.Path, path: str) -> str:
  return os.path.relpath(path, absolute(folder))


def _nothing_in(folder: pathlib.Path, scan: FolderScan) -> str:
  skipped = '; '.join(map(str.strip, skipped_lines([scan], shown=1)))
  return f'no images in {folder}' + (f' ({skipped})' if skipped else '')


def _unlabelled_images(
  folder: pathlib.Path | FolderScan | None,
  split: str | None,
  scan: Callable[[pathlib.Path], FolderScan],
) -> list[FolderImage]:
  if folder is None:
    return []
  if isinstance(folder, FolderScan):
    return [
      _of_unknown_class(path, split, os.path.basename(path))
      for path in folder.images
    ]
  if not folder.is_dir():
    raise UserError(
      f'no such folder: --unlabelled={folder}; name a folder of images'
    )
  found = scan(folder)
  if not found.images:
    raise UserError(
      f'{_nothing_in(folder, found)}; add some or leave --unlabelled out'
    )
  return [
    _of_unknown_class(path, split, _below(folder, path))
    for path in found.images
  ]


def _of_unknown_class(path: str, split: str | None, below: str) -> FolderImage:
  return FolderImage(path, 'Unknown', -1, meta.UNLABELLED, split, below)


def _meta_row(image: FolderImage) -> dict[str, object]:
  unknown = image.label == -1
  row: dict[str, object] = {
    'img_name': os.path.basename(image.path),
    'label': image.label,
    'method': image.method,
    'forgery_type': UNKNOWN_TYPE,
    'forgery_label': -1 if unknown else 0,
    'face_type': -1 if unknown else 0,
    'tag': image.tag,
    'code': 'heap' if unknown else f'C{image.label}',
    'image_source': 'unlabelled' if unknown else 'folder',
    'img_path': image.path,
    'compression': 'unknown',
    'frame_idx': 0,
  }
  return row if image.split is None else row | {'split': image.split}


def _class_table(
  images: Sequence[FolderImage], names: Sequence[str], num_known: int
) -> list[str]:
  """Returns a table of the classes, and a line on those without test images."""
  has_test = images[0].split is not None
  classes = [*enumerate(names)]
  if any(image.label == -1 for image in images):
    classes.append((-1, '(no class folder)'))
  rows, missing = [], []
  shown = distinct([name for _, name in classes])
  for (label, _), name in zip(classes, shown, strict=True):
    mine = [image for image in images if image.label == label]
    train = [image.tag for image in mine if image.split != 'test']
    num_test = len(mine) - len(train)
    role = 'unknown' if label < 0 else 'known' if label < num_known else 'novel'
    row = [name, str(label), role]
    row += [str(train.count(t)) for t in (meta.LABELLED, meta.UNLABELLED)]
    rows.append([*row, str(num_test)] if has_test else row)
    if has_test and not num_test and label >= 0:
      missing.append(name)
  header = ['class', 'id', 'role', 'labelled', 'unlabelled']
  if has_test:
    header.append('test')
  lines = [aligned(header, rows, 'lrlrrr'[: len(header)])]
  if missing:
    lines.append(f'not in the test set: {", ".join(missing)}')
  return lines


def _duplicates(images: Sequence[FolderImage]) -> list[str]:
  """Returns lines on files of equal bytes; all of them stay in the CSV."""
  groups = duplicate_groups([image.path for image in images])
  copies = [[images[row] for row in rows] for rows in groups]
  kinds = {
    'in both training and test': [
      g for g in copies if {'train', 'test'} <= {image.split for image in g}
    ],
    'in more than one class': [
      g for g in copies if len({image.label for image in g}) > 1
    ],
    'within one class': [
      g for g in copies if len({(i.label, i.split) for i in g}) < len(g)
    ],
  }
  paths = {
    where: [[image.path for image in group] for group in found]
    for where, found in kinds.items()
  }
  return duplicate_lines(paths) or ['no duplicates (by content)']
