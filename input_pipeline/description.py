"""The metadata of a packed directory: tfds's files and our description."""

import collections
import importlib.metadata
import os
import pathlib
import sys
from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds

from input_pipeline import dataset, features, meta
from input_pipeline.data_card import Card
from input_pipeline.shards import Encoding, Packed, Row, Written

_VERSIONED = ('numpy', 'opencv-python-headless', 'tensorflow-datasets')


def write_tfds_metadata(
  directory: pathlib.Path,
  size: int,
  classes: tuple[meta.ClassInfo, ...],
  written: list[Written],
  card: Card,
) -> None:
  """Writes `features.json` and `dataset_info.json`, as tfds reads them."""
  formats = _formats(written)
  schema = features.schema(
    size,
    [entry.name for entry in classes],
    formats[0] if len(formats) == 1 else None,
  )
  identity = tfds.core.dataset_info.DatasetIdentity(
    name=dataset.NAME,
    version=tfds.core.Version('1.0.0'),
    data_dir=os.fspath(directory),
    module_name='input_pipeline.features',
  )
  info = tfds.core.DatasetInfo(
    builder=identity,
    description=card.description,
    features=schema,
    homepage=card.homepage or None,
    citation=card.citation or None,
    license=card.licence or None,
  )
  info.set_splits(
    tfds.core.splits.SplitDict(
      [
        tfds.core.SplitInfo(
          name=split,
          shard_lengths=[len(r.records) for r in results],
          num_bytes=_data_bytes(results),
          filename_template=tfds.core.ShardedFileTemplate(
            data_dir=directory,
            dataset_name=dataset.NAME,
            split=split,
            filetype_suffix='tfrecord',
          ),
        )
        for split, results in _by_split(written).items()
      ]
    )
  )
  info.write_to_directory(directory)


def _by_split(written: list[Written]) -> dict[str, list[Written]]:
  return {
    split: [result for result in written if result.shard.split == split]
    for split in dataset.SPLITS
  }


def _formats(written: list[Written]) -> list[str]:
  return sorted({record.format for r in written for record in r.records})


def _data_bytes(written: list[Written]) -> int:
  return sum(record.length for r in written for record in r.records)


def describe(
  name: str,
  table: meta.Meta,
  arguments: dict,
  encoding: Encoding,
  classes: tuple[meta.ClassInfo, ...],
  indices: dict[str, dict[str, np.ndarray]],
  written: list[Written],
) -> dict:
  """The content of the description: what is packed and how it was made."""
  skipped = [
    (result.shard.split, row, why)
    for result in written
    for row, why in result.skipped
  ]
  train, test = (indices[split] for split in dataset.SPLITS)
  skipped_per_label = collections.Counter(row.label for _, row, _ in skipped)
  packed = [*_records(written)]
  whole = collections.Counter(
    row.label for _, row, record in packed if not record.face
  )

  def counts(label: int) -> dict[str, int]:
    tag = train['tag'][train['label'] == label]
    faces = {'no_face': whole[label]} if arguments['crop'] != 'none' else {}
    return faces | {
      'labelled': int((tag == meta.LABELLED).sum()),
      'unlabelled': int((tag == meta.UNLABELLED).sum()),
      'test': int((test['label'] == label).sum()),
      'skipped': skipped_per_label[label],
    }

  return {
    'format': dataset.FORMAT,
    'format_version': dataset.FORMAT_VERSION,
    'name': name,
    'image_size': encoding.size,
    'image_formats': _formats(written),
    'original_bytes': encoding.keep,
    'num_known': table.num_known,
    'num_classes': len(classes),
    'novel_count_known': bool((train['label'] >= 0).all()),
    'classes': [
      {
        'label': entry.label,
        'name': entry.name,
        'method': entry.method,
        'forgery_type': entry.forgery_type,
        'image_source': entry.image_source,
        'face_type': entry.face_type,
        'known': entry.known,
        'counts': counts(entry.label),
      }
      for entry in classes
    ],
    'truth_unknown': counts(-1),
    'splits': {
      split: {
        'records': len(indices[split]['label']),
        'shards': len(results),
        'bytes': _data_bytes(results),
      }
      for split, results in _by_split(written).items()
    },
    'skipped': [
      {'split': split, 'id': row.id, 'label': row.label, 'why': why}
      for split, row, why in skipped
    ],
    'duplicates': _duplicates(packed),
    'shards': {
      result.shard.name: {
        'records': len(result.records),
        'bytes': result.size,
        'sha256': result.sha256,
      }
      for result in written
    },
    'made': {
      'by': 'python -m input_pipeline.pack',
      'meta_csv': os.fspath(table.path.absolute()),
      'meta_sha256': table.sha256,
      'split': 'column' if table.split is not None else 'released rule',
      'arguments': arguments,
      'versions': {
        'python': '.'.join(map(str, sys.version_info[:3])),
        **{name: importlib.metadata.version(name) for name in _VERSIONED},
      },
    },
  }


def _records(written: list[Written]) -> Iterator[tuple[str, Row, Packed]]:
  """Every record with its split and the row that it was made of."""
  for result in written:
    rows = {row.number: row for row in result.shard.rows}
    for record in result.records:
      yield result.shard.split, rows[record.number], record


def _duplicates(packed: list[tuple[str, Row, Packed]]) -> dict[str, dict]:
  """Image files of equal bytes: how many groups, and what the first ones are.

  Rows of unknown truth are of no class here.
  """
  groups: dict[str, list[tuple[str, Row]]] = {}
  for split, row, record in packed:
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
      'examples': sorted(sorted(row.id for _, row in g) for g in found)[:3],
    }
    for kind, found in kinds.items()
  }
