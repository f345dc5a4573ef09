"""Finds files of equal content, to report them to the user."""

import concurrent.futures
from collections.abc import Mapping, Sequence

from input_pipeline.files import file_sha256
from input_pipeline.progress_bars import with_progress

_MOST_SHOWN = 3  # groups of a kind, and paths of a group


def duplicate_groups(paths: Sequence[str]) -> list[list[int]]:
  """Groups the files with equal bytes.

  Args:
    paths: the paths of the files.

  Returns:
    The positions in `paths` of each group of two or more files.

  Raises:
    UserError: a file cannot be read.
  """
  with concurrent.futures.ThreadPoolExecutor() as pool:
    hashes = pool.map(file_sha256, paths)
    digests = list(with_progress(hashes, 'duplicates', len(paths), 'file'))
  found: dict[str, list[int]] = {}
  for position, digest in enumerate(digests):
    found.setdefault(digest, []).append(position)
  return [positions for positions in found.values() if len(positions) > 1]


def duplicate_lines(
  kinds: Mapping[str, Sequence[Sequence[str]]],
) -> list[str]:
  """Returns lines on groups of duplicates: their number and the first ones.

  Args:
    kinds: from where the duplicates are, such as 'within one class', to groups
      of paths.
  """
  lines = []
  for where, groups in kinds.items():
    if groups:
      lines.append(f'duplicates {where}: {len(groups)}, such as')
      lines += [
        '  ' + ' = '.join(paths[:_MOST_SHOWN]) for paths in groups[:_MOST_SHOWN]
      ]
  return lines
