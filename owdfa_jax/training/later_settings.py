"""Settings that came with later versions, and what runs before them had."""

from typing import Any

# Settings that runs of earlier versions do not record, and their values there.
LATER_SETTINGS: dict[str, Any] = {
  'passes_per_epoch': 1,
  'state_shards': 1,
  'model.front_end': 'rgb',
  'model.spectrum_features': 0,
  'model.spectrum_projections': 0,
  'augment.crop': 'resized',
  'augment.crop_probability': 0.2,
  'augment.largest_shift': 0.125,
  'augment.colour_probability': 0.2,
  'augment.colour_strength': 0.2,
  'augment.resize_probability': 0.0,
  'augment.smallest_resize': 0.5,
  'augment.noise_probability': 0.0,
  'augment.largest_noise': 4.0,
  'augment.jpeg_probability': 0.0,
  'augment.lowest_quality': 60,
  'augment.highest_quality': 95,
  'eval.classify_by': 'head',
  'eval.whitening': 'auto',
  'eval.false_alarm_rate': 0.05,
  'eval.unseen_path': '',
  'eval.robustness': False,
  'log.page': True,
  'log.profile': 0,
  'data.leave_out': '',
}
# The same for rounds of staged runs, which have settings of their own.
LATER_ROUND_SETTINGS = {'data.whitening': 'none'}
# The same for methods that pair rows by votes, CPL and MPSL.
LATER_VOTING_SETTINGS = {'method.params.pair_within': 0}
