"""A meta CSV from folders of images, one folder per class.

Known classes get the first ids, in the order given; the rest are novel, in
sorted order. Files are listed sorted, so the same folders give the same CSV.
"""

import dataclasses
import difflib
import os
import pathlib
from collections.abc import Collection, Sequence

import numpy as np

from input_pipeline import duplicates, meta
from input_pipeline.errors import UserError

SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp', '.bmp', '.tif', '.tiff')


@dataclasses.dataclass(frozen=True)
class Item:
  """One image file and what its folder says about it."""

  path: str  # absolute
  method: str
  label: int  # -1 in a heap
  tag: int
  split: str | None  # None: packing splits


def list_images(folder: pathlib.Path) -> list[str]:
  """The image files anywhere below `folder`, as sorted absolute paths.

  Links to folders are followed, each folder once; hidden names are skipped.

  Raises:
    UserError: the folder cannot be read, or a name cannot go into a CSV.
  """
  found, seen = [], set()

  def fail(error: OSError) -> None:
    raise UserError(f'cannot read {error.filename}: {error.strerror}')

  for directory, below, files in os.walk(
    os.path.abspath(folder), onerror=fail, followlinks=True
  ):
    status = os.stat(directory)
    if (status.st_dev, status.st_ino) in seen:
      below.clear()  # a link back to where we have been
      continue
    seen.add((status.st_dev, status.st_ino))
    below[:] = sorted(name for name in below if not name.startswith('.'))
    for name in files:
      if name.lower().endswith(SUFFIXES) and not name.startswith('.'):
        path = os.path.join(directory, name)
        check_name(path)
        found.append(path)
  return sorted(found)


def check_name(name: str) -> None:
  """`UserError` for one that no CSV can hold: not UTF-8, control characters."""
  if not name.isprintable():
    raise UserError(
      f'bad file name: {name!r} is not UTF-8 or has control characters; '
      'rename it'
    )


def list_classes(root: pathlib.Path) -> list[str]:
  """The class folders directly below `root`, sorted.

  Raises:
    UserError: `root` is missing, unreadable or holds no folder.
  """
  if not root.is_dir():
    raise UserError(f'no such folder: {root}; give one folder per class there')
  try:
    names = sorted(
      entry.name
      for entry in os.scandir(root)
      if entry.is_dir() and not entry.name.startswith('.')
    )
  except OSError as error:
    raise UserError(f'cannot read {root}: {error.strerror}') from error
  if not names:
    raise UserError(
      f'no class folders in {root}; images must lie in {root}/<class>/'
    )
  for name in names:
    check_name(name)
  return names


def prepare(
  root: pathlib.Path,
  known: Sequence[str],
  out: pathlib.Path,
  *,
  labelled_fraction: float = 0.75,
  seed: int = 0,
  exclude: Sequence[str] = (),
  test_root: pathlib.Path | None = None,
  unlabelled: pathlib.Path | None = None,
) -> list[str]:
  """Writes `out`/meta.csv; returns the lines of a summary.

  One `RandomState(seed)` draws the labelled images: for each known class in
  the order given, the first int(labelled_fraction * n) of its permutation(n)
  over the sorted files.

  Args:
    root: one folder per class.
    known: names of the known classes; their ids are 0, 1, ... in this order.
    out: folder of the CSV; made if need be.
    labelled_fraction: share of each known class that is labelled, in (0, 1].
    seed: of the labelled draw.
    exclude: class folders to leave out, below `root` and `test_root`.
    test_root: class folders of the test set; without it packing splits.
    unlabelled: images without class folders, their truth unknown.

  Raises:
    UserError: whatever is wrong with the folders or the names.
  """
  if not 0 < labelled_fraction <= 1:
    raise UserError(
      f'--labelled_fraction={labelled_fraction}: it must be over 0 and at '
      'most 1'
    )
  if not 0 <= seed < 2**32:
    raise UserError(f'--seed={seed}: it must be from 0 to {2**32 - 1}')
  names = _order_classes(root, known, exclude, heap=unlabelled is not None)
  _check_excluded(exclude, root, test_root)
  for option, other in ('test_root', test_root), ('unlabelled', unlabelled):
    if other is not None:
      _check_apart(root, other, option, exclude)
  split = None if test_root is None else 'train'
  items = _class_items(root, names, split)
  items = _draw_labelled(items, len(known), labelled_fraction, seed)
  if unlabelled is not None:
    items += _heap_items(unlabelled, split)
  if test_root is not None:
    present = set(list_classes(test_root)) - set(exclude)
    if foreign := ','.join(sorted(present - set(names))):
      raise UserError(
        f'{test_root} has classes that --root lacks: {foreign}; leave them out '
        f'with --exclude {foreign}'
      )
    items += _class_items(
      test_root, [n if n in present else None for n in names], 'test'
    )
  try:
    out.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise UserError(f'cannot make {out}: {error.strerror}') from error
  done = 'replaced' if (out / 'meta.csv').exists() else 'wrote'
  meta.write(out / 'meta.csv', [_row(item) for item in items])
  lines = [*_table(items, names, len(known)), *_duplicates(items)]
  if split is None:
    of_heap = '' if unlabelled is None else ' (and of the unlabelled heap)'
    lines.append(
      f'packing will hold out 20 % of each class{of_heap} for the test; '
      '--test_root gives a test set of your own'
    )
  return [*lines, f'{done} {out / "meta.csv"}: {len(items)} images']


def _order_classes(
  root: pathlib.Path, known: Sequence[str], exclude: Sequence[str], heap: bool
) -> list[str]:
  """Known classes in the order given, then the others sorted."""
  found = list_classes(root)
  for option, names in ('known', known), ('exclude', exclude):
    for name in names:
      if names.count(name) > 1:
        raise UserError(f'--{option} names {name!r} twice')
  for name in known:
    if name not in found:
      raise UserError(f'no class {name!r} in {root}: {_near(name, found)}')
    if name in exclude:
      raise UserError(f'class {name!r} is both in --known and in --exclude')
  if not known:
    raise UserError(
      f'no known classes: give some with --known A,B,...; {_listing(found)}'
    )
  novel = [name for name in found if name not in {*known, *exclude}]
  if not novel and not heap:
    raise UserError(
      f'every class of {root} is known, so there is none to discover: leave '
      'some out of --known, or give images without classes as --unlabelled DIR'
    )
  return [*known, *novel]


def _check_excluded(
  exclude: Sequence[str], root: pathlib.Path, test_root: pathlib.Path | None
) -> None:
  found = set(list_classes(root))
  if test_root is not None:
    found |= set(list_classes(test_root))
  for name in exclude:
    if name not in found:
      raise UserError(f'--exclude {name}: no such class; {_near(name, found)}')


def _class_items(
  root: pathlib.Path, names: Sequence[str | None], split: str | None
) -> list[Item]:
  """All images of the named classes, unlabelled; None keeps an id free."""
  items = []
  for label, name in enumerate(names):
    if name is not None:
      paths = list_images(root / name)
      if not paths:
        raise UserError(
          f'empty class: {root / name} has no images ({", ".join(SUFFIXES)}); '
          f'add some or leave it out with --exclude {name}'
        )
      items += [Item(p, name, label, meta.UNLABELLED, split) for p in paths]
  return items


def _draw_labelled(
  items: list[Item], num_known: int, fraction: float, seed: int
) -> list[Item]:
  draws = np.random.RandomState(seed)
  labels = np.array([item.label for item in items])
  labelled = set()
  for label in range(num_known):
    rows = np.flatnonzero(labels == label)
    count = int(fraction * len(rows))
    if not count:
      raise UserError(
        f'class {items[rows[0]].method!r} has {len(rows)} images: '
        f'labelled_fraction={fraction} labels none; raise it or add images'
      )
    labelled |= set(rows[draws.permutation(len(rows))[:count]].tolist())
  return [
    dataclasses.replace(item, tag=meta.LABELLED) if i in labelled else item
    for i, item in enumerate(items)
  ]


def _heap_items(folder: pathlib.Path, split: str | None) -> list[Item]:
  if not folder.is_dir():
    raise UserError(f'no such folder: {folder}; --unlabelled needs one')
  paths = list_images(folder)
  if not paths:
    raise UserError(f'no images below {folder} ({", ".join(SUFFIXES)})')
  return [Item(path, 'Unknown', -1, meta.UNLABELLED, split) for path in paths]


def _check_apart(
  root: pathlib.Path, other: pathlib.Path, option: str, exclude: Sequence[str]
) -> None:
  """A folder inside `root` would be read as one of its classes, too."""
  inner, outer = other.resolve(), root.resolve()
  if inner == outer or (
    inner.is_relative_to(outer)
    and inner.relative_to(outer).parts[0] not in exclude
  ):
    raise UserError(
      f'--{option} {other} lies inside --root {root}, where each folder is a '
      'class: move it elsewhere, or name it in --exclude'
    )


def _row(item: Item) -> dict[str, object]:
  unknown = item.label == -1
  row: dict[str, object] = {
    'img_name': os.path.basename(item.path),
    'label': item.label,
    'method': item.method,
    'forgery_type': 'Unknown',
    'forgery_label': -1 if unknown else 0,
    'face_type': -1 if unknown else 0,
    'tag': item.tag,
    'code': 'heap' if unknown else f'C{item.label}',
    'image_source': 'unlabelled' if unknown else 'folder',
    'img_path': item.path,
    'compression': 'unknown',
    'frame_idx': 0,
  }
  return row if item.split is None else row | {'split': item.split}


def _table(
  items: Sequence[Item], names: Sequence[str], num_known: int
) -> list[str]:
  """One line per class: id, role, counts; and what the test set lacks."""
  apart = items[0].split is not None
  width = max(map(len, [*names, '(no class folder)']))
  head = f'{"class":{width}}  id  role   labelled  unlabelled'
  lines, missing = [head + '    test' * apart], []
  heap = [(-1, '(no class folder)')] * any(i.label == -1 for i in items)
  for label, name in [*enumerate(names), *heap]:
    mine = [item for item in items if item.label == label]
    train = [item.tag for item in mine if item.split != 'test']
    role = 'heap' if label < 0 else 'known' if label < num_known else 'novel'
    line = f'{name:{width}}  {label:2d}  {role:5}  '
    line += (
      f'{train.count(meta.LABELLED):8d}  {train.count(meta.UNLABELLED):10d}'
    )
    lines.append(line + f'  {len(mine) - len(train):6d}' * apart)
    if apart and len(mine) == len(train) and label >= 0:
      missing.append(name)
  if missing:
    lines.append(f'not in the test set: {", ".join(missing)}')
  return lines


def _duplicates(items: Sequence[Item]) -> list[str]:
  """Reports files of equal bytes; none is dropped."""
  groups = duplicates.groups([item.path for item in items])
  copies = [[items[row] for row in rows] for rows in groups]
  kinds = {
    'in both training and test': [
      g for g in copies if {'train', 'test'} <= {item.split for item in g}
    ],
    'in more than one class': [
      g for g in copies if len({item.label for item in g}) > 1
    ],
    'within one class': [
      g for g in copies if len({(i.label, i.split) for i in g}) < len(g)
    ],
  }
  paths = {
    what: [[item.path for item in group] for group in found]
    for what, found in kinds.items()
  }
  return duplicates.report(paths) or ['no duplicates (by content)']


def _near(name: str, found: Collection[str]) -> str:
  near = difflib.get_close_matches(name, found, n=3, cutoff=0.5)
  return f'did you mean {" or ".join(near)}?' if near else _listing(found)


def _listing(names: Collection[str]) -> str:
  return f'the classes there are {", ".join(sorted(names))}'
