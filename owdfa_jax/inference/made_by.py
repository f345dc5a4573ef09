"""What answers depend on, so that those of two runs are never mixed."""

from collections.abc import Mapping
from typing import Any

from owdfa_jax.evaluation.source_names import output_names
from owdfa_jax.experiment import Experiment
from owdfa_jax.inference.run import TrainedRun
from owdfa_jax.training.manifest import checkpoint_digest


def answers_made_by(
  run: TrainedRun, experiment: Experiment, options: Mapping[str, Any]
) -> dict[str, Any]:
  """Returns what the answers of a run depend on, for JSON.

  Args:
    run: what answers.
    experiment: the same run.
    options: how it answers.
  """
  pairs = zip(output_names(experiment), run.outputs, strict=True)
  given = {output: name for output, name in pairs if output != name}
  # Clusters that the user split have more names than outputs.
  is_split = run.classes != tuple(dict.fromkeys(run.outputs))
  return {
    **({'names': given} if given else {}),
    **({'classes': list(run.classes)} if is_split else {}),
    **({'parts': run.part_digests} if run.part_digests else {}),
    'checkpoint': checkpoint_digest(run.checkpoint),
    'classify_by': experiment.config.eval.classify_by,
    'whitening': experiment.config.eval.whitening,
    'threshold': run.unseen_threshold,
    'calibration': list(run.calibration or ()),
    # Left out, so that what an earlier version began goes on.
    **{k: v for k, v in options.items() if k != 'faces' or v},
    # An earlier version did not follow the faces of a video.
    **({'faces_of_videos': 'followed'} if options.get('faces') else {}),
  }
