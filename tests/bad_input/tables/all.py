"""All bad inputs."""

from bad_input.tables import (
  attribute,
  benchmarks,
  boards,
  checkpoints,
  config_files,
  discovery,
  exports,
  images,
  meta_csvs,
  packed_data,
  prepare,
  recorded_runs,
  settings,
  simulate,
  small_files,
  spectrum,
  unseen,
  weights,
  workdirs,
)

CASES = tuple(
  case
  for module in (
    settings,
    config_files,
    workdirs,
    checkpoints,
    packed_data,
    meta_csvs,
    small_files,
    images,
    weights,
    prepare,
    benchmarks,
    simulate,
    boards,
    spectrum,
    unseen,
    attribute,
    recorded_runs,
    discovery,
    exports,
  )
  for case in module.CASES
)
