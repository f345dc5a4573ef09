"""What libraries log is silenced only where nothing is lost."""

import jax
import pytest
from absl import logging
from jax._src.lib import utils

from owdfa_jax import library_logs


@pytest.fixture(autouse=True)
def verbosity():
  """Restores that of absl."""
  before = logging.get_verbosity()
  yield
  logging.set_verbosity(before)


@pytest.mark.parametrize(
  ('level', 'backend', 'in_pod', 'is_silent'),
  [
    ('1', 'cpu', False, True),
    # What a user asks for.
    ('0', 'cpu', False, False),
    # cuDNN's errors say "look at the errors above".
    ('1', 'gpu', False, False),
    ('1', 'tpu', False, False),
    ('1', 'cpu', True, False),
  ],
)
def test_errors_that_come_as_exceptions_are_not_logged(
  monkeypatch, level, backend, in_pod, is_silent
):
  levels = []
  monkeypatch.setattr(utils, 'absl_set_min_log_level', levels.append)
  monkeypatch.setattr(jax, 'default_backend', lambda: backend)
  monkeypatch.setenv('TF_CPP_MIN_LOG_LEVEL', level)
  library_logs.silence_libraries(in_pod=in_pod)
  assert logging.get_verbosity() == logging.ERROR
  assert levels == ([3] if is_silent else [])


def test_a_pod_is_not_asked_for_its_backend(monkeypatch):
  """It would start before its processes are connected."""
  monkeypatch.setenv('TF_CPP_MIN_LOG_LEVEL', '1')
  monkeypatch.setattr(jax, 'default_backend', lambda: pytest.fail('started'))
  library_logs.silence_libraries(in_pod=True)


def test_another_jax_may_have_no_such_function(monkeypatch):
  monkeypatch.delattr(utils, 'absl_set_min_log_level')
  monkeypatch.setenv('TF_CPP_MIN_LOG_LEVEL', '1')
  library_logs.silence_libraries()
