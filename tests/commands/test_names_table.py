"""What `owdfa names` prints of split clusters."""

import numpy as np
import pytest

from helpers.page_runs import write_run
from owdfa_jax.commands.names_table import lines_of_parts, shared_lines
from owdfa_jax.evaluation import sources_file
from owdfa_jax.evaluation.training_sample import TrainingSample
from owdfa_jax.page.run_files import read_run


@pytest.mark.parametrize('in_terminal', [True, False])
def test_the_wait_for_parts_is_said_in_a_terminal(
  tmp_path, monkeypatch, capsys, in_terminal
):
  write_run(tmp_path / 'run')
  place = np.eye(2, 4, dtype=np.float16).repeat([6, 9], axis=0)
  place += np.random.default_rng(0).normal(size=place.shape, scale=0.01)
  sample = TrainingSample(
    place, np.full(15, 3, np.int32), [f'{n}.png' for n in range(15)]
  )
  monkeypatch.setattr(sources_file, 'read_sample', lambda *_: sample)
  monkeypatch.setattr('sys.stderr.isatty', lambda: in_terminal)
  lines = lines_of_parts(read_run(tmp_path / 'run'), {3: ('IMQ', '')})
  assert lines[2].startswith('novel-3.1, IMQ: 9 images, such as ')
  assert lines[3].startswith('novel-3.2: 6 images, such as ')
  said = 'computing the parts of split clusters' in capsys.readouterr().err
  assert said == in_terminal


def test_a_split_cluster_shares_its_name_in_tables_of_test_images_alone():
  names = {3: 'X', 4: '', 5: 'X', 8: 'Y'}
  one = 'novel-3 and novel-5 have the name X, so they count as one source'
  assert shared_lines(names, {}) == [one]
  assert shared_lines(names, {5: ('', '')}) == [
    'novel-3 and novel-5 have the name X: one source in the tables of test '
    'images alone; new images get the parts of novel-5'
  ]
  assert shared_lines({5: '', 8: 'Y'}, {5: ('Y', '')}) == [
    'novel-5.1 and novel-8 have the name Y, so they count as one source'
  ]
