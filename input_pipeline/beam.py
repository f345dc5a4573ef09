"""Shards on a cluster, by Apache Beam: Flink, Spark, Dataflow or one machine.

Every worker must see the image files and the output folder under the names that
this machine has for them: a shared file system, or a URL for the output.
"""

import dataclasses
import importlib
import json
import shlex
from collections.abc import Callable
from typing import Any

from input_pipeline import detections, faces, storage
from input_pipeline.errors import UserError
from input_pipeline.processes import silence_decoders
from input_pipeline.shards import Packed, Row, Shard, Written, write_shard

RUNNERS = ('DirectRunner', 'FlinkRunner', 'SparkRunner', 'DataflowRunner')


def write_shards(
  shards: list[Shard],
  runner: str,
  options: str,
  known: str,
  finished: Callable[[Written], object],
) -> list[Written]:
  """Writes all shards in one pipeline; results in the order given.

  Args:
    shards: to write.
    runner: one of `RUNNERS`.
    options: further options of Beam, as on a command line.
    known: path or URL of the faces found before.
    finished: called here with each result, before an error too.

  Raises:
    UserError: Beam is not installed or refuses the options, an image is
      unreadable (unless skipped), or a shard cannot be written.
  """
  try:
    beam: Any = importlib.import_module('apache_beam')
    pipeline_options: Any = importlib.import_module(
      'apache_beam.options.pipeline_options'
    )
  except ImportError as error:
    raise UserError(
      f'--runner={runner}: Apache Beam is not installed; make an environment '
      'of its own: `pip install -r requirements-beam.txt`'
    ) from error
  flags = [f'--runner={runner}', *shlex.split(options)]
  try:
    with beam.Pipeline(
      options=pipeline_options.PipelineOptions(flags)
    ) as pipeline:
      _ = (
        pipeline
        | beam.Create(shards)
        | beam.Reshuffle()  # or one worker might get them all
        | beam.Map(_write, known)
      )
    return _collect(shards, finished)
  except UserError:
    raise
  # A runner's own failures come in kinds of its own.
  except Exception as error:
    lines = str(error).splitlines() or [repr(error)]
    raise UserError(f'--runner={runner} failed: {lines[0]}') from error


def _write(shard: Shard, known: str) -> None:
  """Writes one shard and beside it a file of what became of it.

  An error goes there too: raised, it would be tried again and again.
  """
  silence_decoders()
  try:
    found = {}
    if shard.crop is not None:
      found = detections.load(known, faces.detector(shard.crop).name)
    result = _to_json(write_shard(shard, lambda count: None, found))
  except UserError as error:
    result = {'error': str(error)}
  storage.write_bytes(_beside(shard), json.dumps(result).encode())


def _collect(
  shards: list[Shard], finished: Callable[[Written], object]
) -> list[Written]:
  written, errors = [], []
  for shard in shards:
    content = storage.read_bytes(_beside(shard))
    if content is None:
      raise UserError(
        f'no result: {shard.folder} lacks {shard.name}.json; the workers must '
        'write to the same folder as this machine'
      )
    result = json.loads(content)
    if 'error' in result:
      errors.append(result['error'])
      continue
    written.append(_from_json(shard, result))
    finished(written[-1])
  if errors:
    raise UserError(errors[0])
  for shard in shards:
    storage.remove(shard.folder, [f'{shard.name}.json'])
  return written


def _beside(shard: Shard) -> str:
  return f'{shard.folder}/{shard.name}.json'


def _to_json(written: Written) -> dict:
  fields = dataclasses.asdict(written)
  return {name: value for name, value in fields.items() if name != 'shard'}


def _from_json(shard: Shard, fields: dict) -> Written:
  return Written(
    shard=shard,
    records=[Packed(**record) for record in fields['records']],
    skipped=[(Row(**row), why) for row, why in fields['skipped']],
    detected={
      sha256: None if face is None else faces.Face(**face)
      for sha256, face in fields['detected'].items()
    },
    size=fields['size'],
    sha256=fields['sha256'],
  )
