"""A run that this machine has too little memory for is refused at once."""

import jax
import pytest

from helpers.runs import tiny_config
from input_pipeline.errors import UserError
from owdfa_jax import experiment
from owdfa_jax.commands.startup import one_line_out_of_memory


@pytest.mark.parametrize(
  'field, value, memory',
  [
    ('model.width', 0.125, 2**17),
    ('batch_size', 32, 15 * 32 * 32**2 - 1),
    ('eval.batch_size', 65536, 2**29),
    ('data.num_threads', 256, 2 * 256 * 16 * 3 * 32**2 - 1),
    ('data.num_workers', 8, 2**30 - 1),
  ],
)
def test_too_little_memory(packed, tmp_path, monkeypatch, field, value, memory):
  sizes = {'batch_size': 16, 'eval.batch_size': 16, 'model.width': 0.02}
  config = tiny_config(packed, **sizes | {field: value})
  experiment.set_up(config, str(tmp_path))
  monkeypatch.setattr(experiment, 'memory_bytes', lambda: memory)
  with pytest.raises(UserError, match=f'too little memory: .*{field}={value} '):
    experiment.set_up(config, str(tmp_path))


@pytest.mark.parametrize(
  'error, where',
  [
    (MemoryError(), 'this machine'),
    (jax.errors.JaxRuntimeError('RESOURCE_EXHAUSTED: 9 bytes'), 'a device'),
  ],
)
def test_memory_that_ends_in_a_run_is_one_line(error, where):
  with pytest.raises(UserError, match=f'out of memory: {where} has'):
    with one_line_out_of_memory():
      raise error


def test_other_errors_of_a_device_keep_their_traceback():
  with pytest.raises(jax.errors.JaxRuntimeError):
    with one_line_out_of_memory():
      raise jax.errors.JaxRuntimeError('INTERNAL: defect')
