"""Writes shards on a cluster with Apache Beam: Flink, Spark or Dataflow.

Each shard's task and result travel in small files beside the shard, on a shared
file system or at a URL; see `beam_runner`.
"""

import dataclasses
import json
from collections.abc import Callable

from input_pipeline import detections, faces, storage, strict_json
from input_pipeline.beam_runner import check_beam, run_with_beam
from input_pipeline.errors import UserError
from input_pipeline.processes import silence_decoders
from input_pipeline.shard_writer import write_shard
from input_pipeline.shards import (
  Encoding,
  ImageRow,
  Packed,
  Shard,
  Written,
)
from input_pipeline.tiles import Tiling


def write_shards_with_beam(
  shards: list[Shard],
  runner: str,
  options: str,
  known: str,
  finished: Callable[[Written], object],
) -> list[Written]:
  """Writes all shards in one Beam pipeline.

  Args:
    shards: the shards to write.
    runner: one of `pack_options.BEAM_RUNNERS`.
    options: further options of Beam, as on a command line.
    known: path or URL of the faces found before.
    finished: called in this process with each result, also with those that
      come before an error.

  Returns:
    The results, in the order of `shards`.

  Raises:
    UserError: Beam is not installed or refuses the options, an image is
      unreadable (unless skipped), or a shard cannot be written.
  """
  check_beam(runner)
  for shard in shards:
    task = _to_json(dataclasses.asdict(shard))
    storage.write_bytes(_task_path(shard.path), task)
  run_with_beam(
    _run_task,
    [shard.path for shard in shards],
    known,
    runner=runner,
    options=options,
  )
  return _collect(shards, finished)


def _run_task(path: str, known: str) -> None:
  """Writes the shard at a path or URL, in a worker.

  An error is written as the result. If it were raised, the runner would repeat
  the task.
  """
  silence_decoders()
  try:
    task = storage.read_bytes(_task_path(path)) or b'null'
    shard = _shard_of(json.loads(task))
    found = {}
    if shard.crop is not None:
      detector = faces.detector(shard.crop).name
      found = detections.load_detections(known, detector)
    written = write_shard(shard, lambda count: None, found)
    fields = dataclasses.asdict(written)
    result = {k: value for k, value in fields.items() if k != 'shard'}
  except UserError as error:
    result = {'error': str(error)}
  storage.write_bytes(_result_path(path), _to_json(result))


def _collect(
  shards: list[Shard], finished: Callable[[Written], object]
) -> list[Written]:
  """Reads the results of all shards, and removes the small files."""
  written, errors = [], []
  for shard in shards:
    content = storage.read_bytes(_result_path(shard.path))
    if content is None:
      raise UserError(
        f'no result for {shard.path}: the workers must write to the same '
        'folder as this machine'
      )
    try:
      result = strict_json.loads(content)
      if 'error' in result:
        errors.append(result['error'])
        continue
      written.append(_written_of(shard, result))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
      raise UserError(
        f'damaged file: {_result_path(shard.path)}: {error!r}; pack again'
      ) from error
    finished(written[-1])
  if errors:
    raise UserError(errors[0])
  for shard in shards:
    names = [_task_path(shard.name), _result_path(shard.name)]
    storage.remove(shard.folder, names)
  return written


def _task_path(path: str) -> str:
  return f'{path}.spec.json'


def _result_path(path: str) -> str:
  return f'{path}.result.json'


def _to_json(fields: dict) -> bytes:
  return json.dumps(fields).encode()


def _shard_of(fields: dict | None) -> Shard:
  """Returns the shard whose fields went through JSON."""
  if fields is None:
    raise UserError(
      'a worker does not see the output folder; put it on a shared file system'
    )
  crop, tiling = fields['crop'], fields['tiling']
  return Shard(
    **fields
    | {
      'rows': tuple(ImageRow(**row) for row in fields['rows']),
      'encoding': Encoding(**fields['encoding']),
      'crop': None if crop is None else faces.Crop(**crop),
      'tiling': None if tiling is None else Tiling(**tiling),
    }
  )


def _written_of(shard: Shard, fields: dict) -> Written:
  """Returns the result whose fields went through JSON."""
  return Written(
    shard,
    **fields
    | {
      'records': [Packed(**record) for record in fields['records']],
      'skipped': [(ImageRow(**row), why) for row, why in fields['skipped']],
      'detected': {
        sha256: None if face is None else faces.FaceBox(**face)
        for sha256, face in fields['detected'].items()
      },
    },
  )
