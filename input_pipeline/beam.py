"""Shards on a cluster, by Apache Beam: Flink, Spark, Dataflow or one machine.

Every worker needs this package, and must see the image files and the output
folder under the names that this machine has for them: a shared file system, or
a URL for the output. Small files beside the shards say what to do and what came
of it, so that the pipeline itself stays small.
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
from input_pipeline.shards import (
  Encoding,
  Packed,
  Row,
  Shard,
  Written,
  write_shard,
)

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
  for shard in shards:
    storage.write_bytes(_spec(_place(shard)), _dump(dataclasses.asdict(shard)))
  try:
    flags = [f'--runner={runner}', *shlex.split(options)]
    with beam.Pipeline(
      options=pipeline_options.PipelineOptions(flags)
    ) as pipeline:
      _ = (
        pipeline
        | beam.Create([_place(shard) for shard in shards])
        | beam.Reshuffle()  # or one worker might get them all
        | beam.Map(_write, known)
      )
  # A runner's own failures come in kinds of its own.
  except Exception as error:
    lines = str(error).splitlines() or [repr(error)]
    raise UserError(f'--runner={runner} failed: {lines[0]}') from error
  return _collect(shards, finished)


def _write(place: str, known: str) -> None:
  """Writes the shard of that path or URL.

  An error goes into the result: raised, it would be tried again and again.
  """
  silence_decoders()
  try:
    shard = _shard(json.loads(storage.read_bytes(_spec(place)) or b'null'))
    found = {}
    if shard.crop is not None:
      found = detections.load(known, faces.detector(shard.crop).name)
    written = write_shard(shard, lambda count: None, found)
    fields = dataclasses.asdict(written)
    result = {k: value for k, value in fields.items() if k != 'shard'}
  except UserError as error:
    result = {'error': str(error)}
  storage.write_bytes(_result(place), _dump(result))


def _collect(
  shards: list[Shard], finished: Callable[[Written], object]
) -> list[Written]:
  written, errors = [], []
  for shard in shards:
    content = storage.read_bytes(_result(_place(shard)))
    if content is None:
      raise UserError(
        f'no result for {_place(shard)}: the workers must write to the same '
        'folder as this machine'
      )
    result = json.loads(content)
    if 'error' in result:
      errors.append(result['error'])
      continue
    written.append(_written(shard, result))
    finished(written[-1])
  if errors:
    raise UserError(errors[0])
  for shard in shards:
    names = [_spec(shard.name), _result(shard.name)]
    storage.remove(shard.folder, names)
  return written


def _place(shard: Shard) -> str:
  return f'{shard.folder}/{shard.name}'


def _spec(place: str) -> str:
  return f'{place}.spec.json'


def _result(place: str) -> str:
  return f'{place}.result.json'


def _dump(fields: dict) -> bytes:
  return json.dumps(fields).encode()


def _shard(fields: dict | None) -> Shard:
  if fields is None:
    raise UserError('a worker does not see the output folder; share it')
  crop = fields['crop']
  return Shard(
    **fields
    | {
      'rows': tuple(Row(**row) for row in fields['rows']),
      'encoding': Encoding(**fields['encoding']),
      'crop': None if crop is None else faces.Crop(**crop),
    }
  )


def _written(shard: Shard, fields: dict) -> Written:
  return Written(
    shard,
    **fields
    | {
      'records': [Packed(**record) for record in fields['records']],
      'skipped': [(Row(**row), why) for row, why in fields['skipped']],
      'detected': {
        sha256: None if face is None else faces.Face(**face)
        for sha256, face in fields['detected'].items()
      },
    },
  )
