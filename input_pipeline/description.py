"""The metadata of a packed directory: tfds's files, description, summary."""

import collections
import importlib.metadata
import os
import pathlib
import sys

import numpy as np
import tensorflow_datasets as tfds

from input_pipeline import dataset, features, meta
from input_pipeline.shards import Encoding, Written

_VERSIONED = ('numpy', 'opencv-python-headless', 'tensorflow-datasets')


def write_tfds_metadata(
  directory: pathlib.Path,
  size: int,
  classes: tuple[meta.ClassInfo, ...],
  written: list[Written],
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
    description='Face images for open-world deepfake attribution.',
    features=schema,
  )
  info.set_splits(
    tfds.core.splits.SplitDict(
      [
        tfds.core.SplitInfo(
          name=split,
          shard_lengths=[len(r.number) for r in results],
          num_bytes=sum(sum(r.length) for r in results),
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
  return sorted({name for result in written for name in result.format})


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

  def counts(label: int) -> dict[str, int]:
    tag = train['tag'][train['label'] == label]
    return {
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
        'bytes': sum(sum(result.length) for result in results),
      }
      for split, results in _by_split(written).items()
    },
    'skipped': [
      {'split': split, 'id': row.id, 'label': row.label, 'why': why}
      for split, row, why in skipped
    ],
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


def summary(description: dict) -> str:
  """A table of the counts per class."""
  columns = ('labelled', 'unlabelled', 'test', 'skipped')
  entries = [
    (entry['name'], 'known' if entry['known'] else 'novel', entry['counts'])
    for entry in description['classes']
  ]
  unknown = description['truth_unknown']
  if any(unknown.values()):
    entries.append(('(truth unknown)', '', unknown))
  total = {c: sum(counts[c] for *_, counts in entries) for c in columns}
  entries.append(('total', '', total))
  width = max(len(name) for name, *_ in entries)
  lines = [f'{"class":{width}}  {"":5}' + ''.join(f'{c:>12}' for c in columns)]
  for name, kind, counts in entries:
    cells = ''.join(f'{counts[c]:12,}' for c in columns)
    lines.append(f'{name:{width}}  {kind:5}{cells}')
  lines += [f'skipped: {e["id"]}: {e["why"]}' for e in description['skipped']]
  return '\n'.join(lines)
