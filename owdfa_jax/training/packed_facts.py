"""Identifies the data of a run, so that it does not go on with other images.

Two packs hold the same data if they hold the same records in the same order.
Their place and their number of shards do not matter. If the data differs, the
facts name the difference.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from input_pipeline.dataset import PackedDataset
from input_pipeline.packed_format import SPLITS

# How an error names the facts.
_NAMES = {
  'image_size': 'image size',
  'crop': 'crop',
  'margin': 'margin',
  'alignment': 'alignment',
  'image_format': 'image format',
  'quality': 'JPEG quality',
  'meta_csv': 'meta CSV',
  'classes': 'classes',
  'labels': 'labels',
}
_DIGESTS = ('meta_csv', 'classes', 'labels')
# Hashes of all bytes of all records: data with one of them equal is the same.
# The hash of the shards depends on their number; packs of earlier versions have
# only this one.
_BYTES = ('records', 'shards')
# Facts that the description of the data alone does not give.
OF_IMAGES = ('dataset', 'labels', *_BYTES)


def packed_facts(dataset: PackedDataset) -> dict[str, Any]:
  """Returns how a dataset was packed, and hashes of its content.

  The place of the dataset does not matter. A value is None if the pack does not
  record it, or if it has no effect, such as the margin without a crop.

  Returns:
    image_size, crop, margin, alignment, image_format, quality: as
      `input_pipeline.pack_options.Options` has them.
    meta_csv: of the table it was packed from.
    classes: of their names, in order.
    labels: of the label and the tag of every record.
    records: of the bytes of all records, in order.
    shards: of the shards.
    The last five are 12 hexadecimal digits.
  """
  description = dataset.description
  made = description['made']
  options = made.get('arguments', {})
  formats = description.get('image_formats')
  formats = formats if isinstance(formats, list) else []
  crop = options.get('crop')
  cropped = crop is not None and crop != 'none'
  encoded = not description.get('original_bytes', False)
  align = options.get('align')
  return {
    'image_size': dataset.image_size,
    'crop': crop,
    'margin': options.get('margin') if cropped else None,
    'alignment': ('on' if align else 'off') if cropped else None,
    'image_format': '+'.join(map(str, formats)) or None,
    'quality': options.get('quality')
    if encoded and 'jpeg' in formats
    else None,
    'meta_csv': made['meta_sha256'][:12],
    'classes': _digest([entry.name for entry in dataset.classes]),
    'labels': _label_digest(dataset),
    'records': _digest_if_whole(
      [description['splits'][split].get('sha256') for split in SPLITS]
    ),
    'shards': _digest_if_whole(
      [
        description['shards'][name].get('sha256')
        for name in sorted(description.get('shards', {}))
      ]
    ),
  }


def packed_differences(
  before: Mapping[str, Any], now: Mapping[str, Any]
) -> list[str]:
  """Returns how the data of a run differs from a dataset; [] if it does not.

  Args:
    before: the facts of the data of the run.
    now: the facts of the dataset.

  Returns:
    Phrases such as 'crop none (now opencv)' and 'image bytes'.
  """
  same = any(before.get(f) and before.get(f) == now.get(f) for f in _BYTES)
  # The first packs have no hashes. Then only the other facts are compared.
  unknown = not any(before.get(f) and now.get(f) for f in _BYTES)
  differences = [
    name if fact in _DIGESTS else f'{name} {before[fact]} (now {now[fact]})'
    for fact, name in _NAMES.items()
    # The records hold everything but the order of the classes.
    if (fact == 'classes' or not same)
    and None not in (before.get(fact), now.get(fact))
    and before[fact] != now[fact]
  ]
  if not (same or unknown):
    differences.append('image bytes')
  return differences


def take_data(settings: dict[str, Any]) -> dict[str, Any]:
  """Removes the fields on the data from flattened settings; returns them.

  Args:
    settings: what a workdir records, flattened.
  """
  names = [name for name in settings if name.startswith(('dataset', 'packed.'))]
  return {name.removeprefix('packed.'): settings.pop(name) for name in names}


def recorded_differences(
  before: dict[str, Any], now: dict[str, Any]
) -> list[str]:
  """Returns how the recorded data differs from the data of a run.

  Args:
    before: what `take_data` took from the record.
    now: the same of the run.
  """
  if before.keys() - {'dataset'}:
    return packed_differences(before, now)
  # Earlier versions recorded one digest.
  digest = before.get('dataset')
  if now['dataset'] in (digest, None):
    return []
  return [f'dataset={digest} (now {now["dataset"]})']


def dataset_digest(dataset: PackedDataset) -> str:
  """Returns 12 hex digits by which earlier versions identified a dataset.

  They depend on the table it was packed from, the image size, the classes, and
  the label and tag of every record, but not on the images.
  """
  digest = hashlib.sha256(
    json.dumps(
      [
        dataset.description['made']['meta_sha256'],
        dataset.image_size,
        [entry.name for entry in dataset.classes],
      ]
    ).encode()
  )
  digest.update(_label_bytes(dataset))
  return digest.hexdigest()[:12]


def _label_digest(dataset: PackedDataset) -> str:
  return hashlib.sha256(_label_bytes(dataset)).hexdigest()[:12]


def _label_bytes(dataset: PackedDataset) -> bytes:
  return b''.join(
    column.tobytes()
    for split in (dataset.train, dataset.test)
    for column in (split.label, split.tag)
  )


def _digest(content: list[str]) -> str:
  return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def _digest_if_whole(hashes: list[str | None]) -> str | None:
  """Returns the digest of hashes; None if there are none or one is missing."""
  known = [sha256 for sha256 in hashes if sha256]
  return _digest(known) if known and len(known) == len(hashes) else None
