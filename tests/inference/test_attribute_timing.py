"""The command that times an attribution beside an evaluation."""

import pathlib

import numpy as np
import pytest

from input_pipeline.images import load_image
from input_pipeline.pipeline import evaluation_batches
from owdfa_jax.inference import attribute_timing
from owdfa_jax.inference.attribute_costs import (
  ATTRIBUTION,
  EVALUATION,
  IN_MEMORY,
  Turn,
  costs_report,
  time_turns,
  write_files,
)


def test_the_files_hold_the_packed_images(trained, tmp_path):
  rows = np.arange(5)
  paths = write_files(trained, rows, tmp_path)
  batch = next(
    evaluation_batches(trained.dataset, 'train', batch_size=8, rows=rows)
  )
  for path, image in zip(paths, batch['image'][:5], strict=True):
    np.testing.assert_array_equal(load_image(path), image)


@pytest.mark.usefixtures('quick_compile')
def test_every_way_has_a_turn_in_each_round(trained, tmp_path):
  turns = time_turns(trained, tmp_path, images=9, rounds=2)
  assert [*turns] == [EVALUATION, ATTRIBUTION, IN_MEMORY]
  for mine in turns.values():
    assert [x.images for x in mine] == [9, 9]
  table = pathlib.Path(tmp_path / 'table.csv').read_text().splitlines()
  assert len(table) == 10


def test_the_report_has_ratios_of_the_same_round():
  turns = {
    EVALUATION: [Turn(100, 1, 1), Turn(100, 10, 2), Turn(100, 2, 1)],
    ATTRIBUTION: [Turn(100, 2, 1.25), Turn(100, 20, 4), Turn(100, 1, 1.25)],
  }
  _, first, second = costs_report(turns).splitlines()
  assert first.split() == ['evaluation', '50', '1.00', '10.000', '1.00']
  assert second.split()[-4:] == ['50', '0.50', '12.500', '0.80']


def test_no_run(capsys):
  with pytest.raises(SystemExit) as ended:
    attribute_timing.main(['/none', '--images=5'])
  assert ended.value.code == 1
  assert len(capsys.readouterr().err.splitlines()) == 1
