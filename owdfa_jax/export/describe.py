"""What `export.json` says of a run and of its program."""

from typing import Any

import jax

from input_pipeline.dataset import PackedDataset
from input_pipeline.packed_arguments import crop_of, tiling_of
from owdfa_jax import __version__
from owdfa_jax.evaluation.cluster_parts import ClusterParts
from owdfa_jax.evaluation.restore import RestoredNetwork
from owdfa_jax.evaluation.source_names import real_classes, source_names
from owdfa_jax.evaluation.sources_file import SeenSources
from owdfa_jax.evaluation.unseen_report import limit_of
from owdfa_jax.experiment import Experiment
from owdfa_jax.export.exported_files import FORMAT, FORMAT_VERSION
from owdfa_jax.method_titles import method_title
from owdfa_jax.training.manifest import checkpoint_digest
from owdfa_jax.training.recorded_config import name_and_stage

_OUTPUTS = {
  'log_probability': 'of each output; exp gives probabilities that add up to '
  '1; of a split cluster, the parts that the image is not of have -inf',
  'feature': 'the vector before the head',
  'unseen_score': 'how little the image is like any source; no probability',
}
# What a run does with the outputs, beyond the program.
_VERDICT = [
  'outputs with the same name are one source: their probabilities add up',
  'an image whose unseen_score is above unseen_threshold is "none of these"',
  'an image whose largest probability is below a half is "inconclusive"',
]
_WHOLE = [
  'clusters that the user split are whole here: their part is found from the '
  'mean over the tiles of an image, by the run itself'
]
_OF_TILES = [
  'the log_probability of the tiles of an image are added up, divided by '
  'temperature, and the largest is subtracted; exp of that, divided by its '
  'sum, is the probability',
  'unseen_score and feature of an image are the means over its tiles',
]


def describe_run(
  experiment: Experiment,
  restored: RestoredNetwork,
  seen: SeenSources | None,
  parts: ClusterParts | None = None,
) -> dict[str, Any]:
  """Returns the fields of `export.json` that the run decides.

  Args:
    experiment: the run.
    restored: its network.
    seen: its sources, if it has any.
    parts: of the clusters that the user split.

  Raises:
    UserError: the file of the names that the user gave is damaged.
  """
  config, dataset = experiment.config, experiment.dataset
  tiling = tiling_of(dataset)
  whole = source_names(experiment, restored.step)
  baked = baked_parts(experiment, parts)
  names = whole if baked is None else baked.expand_names(whole)
  split = {} if parts is None else parts.names
  threshold = None
  if seen is not None:
    rate = config.eval.false_alarm_rate
    threshold = limit_of(seen, tiling is not None, rate)
  return {
    'format': FORMAT,
    'format_version': FORMAT_VERSION,
    'made_by': {'owdfa_jax': __version__, 'jax': jax.__version__},
    'classes': list(dict.fromkeys(names)),
    'outputs': list(names),
    'split_clusters': {whole[k]: list(split[k]) for k in sorted(split)},
    'has_parts': baked is not None,
    'num_known': dataset.num_known,
    'real_classes': real_classes(dataset),
    'image_size': dataset.image_size,
    'unseen_threshold': threshold,
    'false_alarm_rate': config.eval.false_alarm_rate,
    'temperature_in_program': baked_temperature(experiment, seen) or 1.0,
    'temperature': summed_temperature(experiment, seen),
    'preparation': preparation(dataset),
    'on_the_host': [
      *(_OF_TILES if tiling is not None else ()),
      *(_WHOLE if parts is not None and baked is None else ()),
      *_VERDICT,
    ],
    'run': _of_run(experiment, restored),
  }


def _of_run(
  experiment: Experiment, restored: RestoredNetwork
) -> dict[str, Any]:
  config = experiment.config
  name, stage = name_and_stage(experiment.workdir)
  return {
    'name': name,
    'stage': stage,
    'method': config.method.name,
    'title': method_title(config.to_dict()),
    'backbone': config.model.backbone,
    'front_end': config.model.front_end,
    'dtype': config.model.dtype,
    'classify_by': config.eval.classify_by,
    'step': restored.step,
    'checkpoint': checkpoint_digest(restored.folder),
  }


def baked_parts(
  experiment: Experiment, parts: ClusterParts | None
) -> ClusterParts | None:
  """Returns the parts of split clusters that are part of the program.

  Those of an image in tiles come from the mean over its tiles, which the
  program does not see.

  Args:
    experiment: the run.
    parts: of the clusters that the user split.
  """
  return None if tiling_of(experiment.dataset) else parts


def baked_temperature(
  experiment: Experiment, seen: SeenSources | None
) -> float | None:
  """Returns the temperature that is part of the program; None for 1.

  That of an image in tiles divides the sum over its tiles, which the program
  does not see.

  Args:
    experiment: the run.
    seen: its sources, if it has any.
  """
  if seen is None or seen.calibration is None:
    return None
  return None if tiling_of(experiment.dataset) else seen.calibration.image


def summed_temperature(
  experiment: Experiment, seen: SeenSources | None
) -> float:
  """Returns the temperature that divides the sum over the tiles of an image.

  It is 1 for images that are not cut into tiles: their temperature is part of
  the program.

  Args:
    experiment: the run.
    seen: its sources, if it has any.
  """
  if seen is None or seen.calibration is None:
    return 1.0
  return seen.calibration.verdict if tiling_of(experiment.dataset) else 1.0


def preparation(dataset: PackedDataset) -> list[str]:
  """Returns how a file becomes what the program takes, step by step.

  Args:
    dataset: the data of the run.
  """
  size = dataset.image_size
  crop, tiling = crop_of(dataset), tiling_of(dataset)
  steps = ['decode the file to RGB, uint8 [H, W, 3]']
  if tiling is not None:
    return [
      *steps,
      f'cut up to {tiling.count} tiles of {size} x {size} pixels at multiples '
      f'of {tiling.grid} pixels, without resizing',
    ]
  if crop is not None:
    turned = ', turned upright' if crop.landmarks else ''
    steps.append(
      f'cut out the face that the {crop.detector} detector finds, its box '
      f'{crop.margin:g} times as large{turned}; without a face take the whole '
      'image'
    )
  steps.append(
    f'resize to {size} x {size} pixels, bilinear without antialiasing '
    '(cv2.INTER_LINEAR)'
  )
  return steps


def describe_program(program: jax.export.Exported) -> dict[str, Any]:
  """Returns the field `program` of `export.json`: what goes in and out.

  Args:
    program: of the network; it takes one array and returns several by name.
  """
  (image,) = program.in_avals
  outputs = jax.tree.unflatten(program.out_tree, program.out_avals)
  return {
    'platforms': list(program.platforms),
    'calling_convention_version': program.calling_convention_version,
    'input': {
      'dtype': str(image.dtype),
      'shape': _shape(image),
      'holds': 'RGB, grey levels 0..255',
    },
    'outputs': {
      name: {
        'dtype': str(x.dtype),
        'shape': _shape(x),
        'holds': _OUTPUTS[name],
      }
      for name, x in outputs.items()
    },
  }


def _shape(array: jax.core.ShapedArray) -> list[int | str]:
  return [x if isinstance(x, int) else str(x) for x in array.shape]
