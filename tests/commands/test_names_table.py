"""What `owdfa names` prints of split clusters."""

import numpy as np
import pytest

from helpers.page_runs import write_run
from owdfa_jax.commands.names_table import lines_of_parts
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
