"""Checks the class folders that a meta CSV is made from."""

import difflib
import pathlib
from collections.abc import Collection, Sequence

from input_pipeline.class_names import suggested, typed
from input_pipeline.errors import UsageError, UserError
from input_pipeline.escape import distinct, quoted
from input_pipeline.files import absolute
from input_pipeline.image_folders import list_class_names
from input_pipeline.name_rule import why_taken

# Names less alike than this are no misspellings of each other.
_NEAR = 0.65


def order_classes(
  root: pathlib.Path,
  known: Sequence[str],
  exclude: Sequence[str],
  *,
  needs_novel: bool,
) -> list[str]:
  """Returns the known classes in the order given, then the others sorted.

  Args:
    root: a folder with one folder for each class.
    known: names of the known classes.
    exclude: class folders to leave out.
    needs_novel: whether there must be a novel class.

  Raises:
    UserError: a name is given twice, has no folder or is no name for a source,
      there is no known class, or no novel class where one is needed.
  """
  found = list_class_names(root)
  for option, names in ('known', known), ('exclude', exclude):
    for name in names:
      if names.count(name) > 1:
        raise UsageError(f'--{option} names {quoted(name)} twice; name it once')
  for name in known:
    if name not in found:
      raise UserError(
        f'no class {quoted(name)} in {root}; {_suggest(name, found)}'
      )
    if name in exclude:
      raise UsageError(
        f'class {quoted(name)} is both in --known and in --exclude; choose one'
      )
  if not known:
    raise UserError(f'no known classes in {root}; {_listing(found)} as --known')
  novel = [name for name in found if name not in {*known, *exclude}]
  if needs_novel and not novel:
    raise UserError(
      f'every class of {root} is known, so there is none to discover; leave '
      'some out of --known, or give images without classes as --unlabelled DIR'
    )
  for name in (*known, *novel):
    if why := why_taken(name):
      raise UserError(
        f'not a name for a class: {root} has the folder {quoted(name)} '
        f'({why}); rename it, such as to {quoted("class " + name.strip())}, or '
        'name it in --exclude'
      )
  return [*known, *novel]


def check_excluded(
  exclude: Sequence[str], root: pathlib.Path, test_root: pathlib.Path | None
) -> None:
  """Raises `UserError` if a class to leave out has no folder."""
  found = set(list_class_names(root))
  if test_root is not None:
    found |= set(list_class_names(test_root))
  for name in exclude:
    if name not in found:
      raise UserError(
        f'no such class: --exclude {quoted(name)}; {_suggest(name, found)}'
      )


def check_outside(
  root: pathlib.Path, other: pathlib.Path, option: str, exclude: Sequence[str]
) -> None:
  """Raises `UserError` if `other` would also be read as a class of `root`.

  Args:
    root: a folder with one folder for each class.
    other: the folder that `--option` names.
    option: the name of the option.
    exclude: class folders that are left out.
  """
  inner, outer = other.resolve(), root.resolve()
  if inner == outer or (
    inner.is_relative_to(outer)
    and inner.relative_to(outer).parts[0] not in exclude
  ):
    raise UserError(
      f'--{option} {other} lies inside --root {root}, where each folder is a '
      'class; move it elsewhere, or name it in --exclude'
    )


def check_test_classes(
  test_root: pathlib.Path, names: Sequence[str], exclude: Sequence[str]
) -> set[str]:
  """Returns the classes of the test set.

  Args:
    test_root: the class folders of the test set.
    names: the classes of the training set.
    exclude: class folders that are left out.

  Raises:
    UserError: the test set has classes that the training set lacks.
  """
  present = set(list_class_names(test_root)) - set(exclude)
  if foreign := sorted(present - set(names)):
    raise UserError(
      f'{test_root} has classes that --root lacks: '
      f'{",".join(distinct(foreign))}; leave them out with '
      f'--exclude {typed(foreign)}'
    )
  return present


def nested_lines(
  root: pathlib.Path, names: Sequence[str], paths: Sequence[str]
) -> list[str]:
  """Returns a line for each class whose images all lie in several subfolders.

  Then `root` may be the folder above the one with the class folders.

  Args:
    root: a folder with one folder for each class.
    names: the classes.
    paths: the images, absolute.
  """
  lines = []
  for name in names:
    start = f'{absolute(root / name)}/'
    below = [path[len(start) :] for path in paths if path.startswith(start)]
    folders = {path.partition('/')[0] for path in below if '/' in path}
    if len(folders) > 1 and all('/' in path for path in below):
      lines.append(
        f'class {quoted(name)} has no images of its own, only in '
        f'{len(folders)} subfolders, which become one class; if each of them '
        f'is a source, give --root {root / name}'
      )
  return lines


def _suggest(name: str, found: Collection[str]) -> str:
  near = difflib.get_close_matches(name, found, n=3, cutoff=_NEAR)
  if not near:
    return _listing(found)
  return (
    f'did you mean {" or ".join(map(suggested, near))}? Otherwise '
    f'{_listing(found)}'
  )


def _listing(names: Collection[str]) -> str:
  return f'use one of {", ".join(distinct(sorted(names)))}'
