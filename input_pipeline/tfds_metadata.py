"""Writes the files by which tensorflow-datasets reads a packed directory."""

import os
import pathlib

import tensorflow_datasets as tfds

from input_pipeline import features
from input_pipeline.escape import terminal
from input_pipeline.packed_format import NAME
from input_pipeline.plan import Plan
from input_pipeline.shards import Written, by_split, data_bytes, image_formats


def write_tfds_metadata(
  directory: pathlib.Path, plan: Plan, written: list[Written]
) -> None:
  """Writes `features.json` and `dataset_info.json`, as tfds reads them."""
  formats = image_formats(written)
  schema = features.schema(
    plan.encoding.size,
    # A line of a file each.
    [terminal(entry.name) for entry in plan.classes],
    formats[0] if len(formats) == 1 else None,
  )
  identity = tfds.core.dataset_info.DatasetIdentity(
    name=NAME,
    version=tfds.core.Version('1.0.0'),
    data_dir=os.fspath(directory),
    module_name='input_pipeline.features',
  )
  info = tfds.core.DatasetInfo(
    builder=identity,
    description=plan.card.description,
    features=schema,
    homepage=plan.card.homepage or None,
    citation=plan.card.citation or None,
    license=plan.card.licence or None,
  )
  info.set_splits(
    tfds.core.splits.SplitDict(
      [
        tfds.core.SplitInfo(
          name=split,
          shard_lengths=[len(r.records) for r in results],
          num_bytes=data_bytes(results),
          filename_template=tfds.core.ShardedFileTemplate(
            data_dir=directory,
            dataset_name=NAME,
            split=split,
            filetype_suffix='tfrecord',
          ),
        )
        for split, results in by_split(written).items()
      ]
    )
  )
  info.write_to_directory(directory)
