"""The description of a packed directory: its content and how it was made."""

import collections
import dataclasses
import hashlib
import importlib.metadata
import os
import sys
from collections.abc import Iterator

import numpy as np

from input_pipeline import meta
from input_pipeline.original_sizes import describe_sides
from input_pipeline.packed_format import FORMAT, FORMAT_VERSION, SPLITS
from input_pipeline.plan import Plan
from input_pipeline.shards import (
  ImageRow,
  Packed,
  Written,
  by_split,
  data_bytes,
  image_formats,
)

# Packages whose version may change the packed bytes.
_VERSIONED = (
  'numpy',
  'opencv-python-headless',
  'pillow',
  'tifffile',
  'imagecodecs',
  'tensorflow-datasets',
)
_MOST_EXAMPLES = 3


def describe(
  name: str,
  plan: Plan,
  columns: dict[str, dict[str, np.ndarray]],
  written: list[Written],
) -> dict:
  """Returns the description: what is packed and how it was made.

  Args:
    name: the name of the packed directory.
    plan: the packing.
    columns: the index of each split.
    written: the results of all shards.
  """
  packed = [*_records(written)]
  counts = _count_classes(plan, columns, written, packed)
  return {
    'format': FORMAT,
    'format_version': FORMAT_VERSION,
    'name': name,
    'image_size': plan.encoding.size,
    'image_formats': image_formats(written),
    'original_bytes': plan.encoding.keep,
    'num_known': plan.table.num_known,
    'num_classes': len(plan.classes),
    'novel_count_known': bool((columns['train']['label'] >= 0).all()),
    'classes': [
      _describe_class(entry, counts[entry.label]) for entry in plan.classes
    ],
    'truth_unknown': counts[-1],
    'original_sides': describe_sides(
      [record.side for _, _, record in packed if not record.tile],
      plan.encoding.size,
      resized=not plan.options.tiles,
    ),
    'splits': {
      split: _describe_split(columns[split], results)
      for split, results in by_split(written).items()
    },
    'skipped': _list_skipped(written),
    'duplicates': _find_duplicates(packed),
    'shards': {
      result.shard.name: {
        'records': len(result.records),
        'bytes': result.size,
        'sha256': result.sha256,
      }
      for result in written
    },
    'made': _describe_making(plan),
  }


def _describe_split(
  columns: dict[str, np.ndarray], written: list[Written]
) -> dict:
  return {
    'records': len(columns['label']),
    **_count_groups(columns),
    'shards': len(written),
    'bytes': data_bytes(written),
    'sha256': _hash_of_records(written),
  }


def _list_skipped(written: list[Written]) -> list[dict]:
  """Returns the images that were left out, each with the reason."""
  return [
    {
      'split': result.shard.split,
      'id': row.id,
      'label': row.label,
      'why': why,
    }
    for result in written
    for row, why in result.skipped
  ]


def _count_groups(columns: dict[str, np.ndarray]) -> dict[str, int]:
  """Returns the number of groups of a split; {} if its rows share none."""
  if 'group' not in columns:
    return {}
  return {'groups': int(columns['group'].max()) + 1}


def _describe_class(entry: meta.ClassInfo, counts: dict[str, int]) -> dict:
  return {
    'label': entry.label,
    'name': entry.name,
    'method': entry.method,
    'forgery_type': entry.forgery_type,
    'image_source': entry.image_source,
    'face_type': entry.face_type,
    'known': entry.known,
    'counts': counts,
  }


def _count_classes(
  plan: Plan,
  columns: dict[str, dict[str, np.ndarray]],
  written: list[Written],
  packed: list[tuple[str, ImageRow, Packed]],
) -> dict[int, dict[str, int]]:
  """Returns the counts of each label, with -1 for rows of unknown class."""
  train, test = (columns[split] for split in SPLITS)
  skipped = collections.Counter(
    row.label for result in written for row, _ in result.skipped
  )
  whole = collections.Counter(
    row.label for _, row, record in packed if not record.face
  )
  counts = {}
  for label in [*range(len(plan.classes)), -1]:
    tag = train['tag'][train['label'] == label]
    no_face = {} if plan.options.crop == 'none' else {'no_face': whole[label]}
    counts[label] = no_face | {
      'labelled': int((tag == meta.LABELLED).sum()),
      'unlabelled': int((tag == meta.UNLABELLED).sum()),
      'test': int((test['label'] == label).sum()),
      'skipped': skipped[label],
    }
  return counts


def _describe_making(plan: Plan) -> dict:
  table = plan.table
  return {
    'by': 'python -m input_pipeline.pack',
    'meta_csv': os.fspath(table.path.absolute()),
    'meta_sha256': table.sha256,
    'split': 'column' if table.split is not None else 'released rule',
    'arguments': dataclasses.asdict(plan.options),
    'versions': {
      'python': '.'.join(map(str, sys.version_info[:3])),
      **{name: importlib.metadata.version(name) for name in _VERSIONED},
    },
  }


def _hash_of_records(results: list[Written]) -> str:
  """Returns a hash of the records of a split, in the split's order.

  It does not depend on the number of shards.
  """
  records = [record for result in results for record in result.records]
  records.sort(key=lambda record: record.number)
  hashes = ''.join(record.record_sha256 for record in records)
  return hashlib.sha256(hashes.encode()).hexdigest()


def _records(
  written: list[Written],
) -> Iterator[tuple[str, ImageRow, Packed]]:
  """Yields every record with its split and the row that it was made from."""
  for result in written:
    rows = {row.number: row for row in result.shard.rows}
    for record in result.records:
      yield result.shard.split, rows[record.number], record


def _find_duplicates(
  packed: list[tuple[str, ImageRow, Packed]],
) -> dict[str, dict]:
  """Counts groups of image files with equal bytes, with the first examples.

  Rows of unknown class do not contradict the class of another row.
  """
  groups: dict[str, list[tuple[str, ImageRow]]] = {}
  for split, row, record in packed:
    if not record.tile:
      groups.setdefault(record.sha256, []).append((split, row))
  copies = [group for group in groups.values() if len(group) > 1]
  kinds = {
    'in_two_classes': [
      group
      for group in copies
      if len({row.label for _, row in group} - {-1}) > 1
    ],
    'in_training_and_test': [
      group for group in copies if len({split for split, _ in group}) > 1
    ],
  }
  return {
    kind: {
      'groups': len(found),
      'examples': sorted(sorted(row.id for _, row in g) for g in found)[
        :_MOST_EXAMPLES
      ],
    }
    for kind, found in kinds.items()
  }
