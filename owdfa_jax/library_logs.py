"""Silences what libraries log and a user cannot act on."""

import contextlib
import os

import jax
from absl import logging

# Levels of TF_CPP_MIN_LOG_LEVEL: JAX sets 1, warnings, where a user sets none;
# 3 leaves what ends the process.
_SET_BY_JAX, _FATAL = '1', 3


def silence_libraries(*, in_pod: bool = False) -> None:
  """Silences lines of Orbax, and of XLA on CPUs.

  Of Orbax: its info, and its warnings of saves without metrics. Of XLA: "Very
  slow compile", after two minutes, and remarks on compiled programs that were
  kept. XLA's errors still come as exceptions. Those of GPUs and TPUs may send
  the reader to the log, and those of a pod may be found there alone, so XLA
  stays as it is there.

  A user who sets TF_CPP_MIN_LOG_LEVEL sees what it asks for.

  Args:
    in_pod: whether this process is one of several, which are not yet connected.
  """
  logging.set_verbosity(logging.ERROR)
  is_default = os.environ.get('TF_CPP_MIN_LOG_LEVEL') == _SET_BY_JAX
  # Asking for the backend starts it, which a pod must do later.
  if is_default and not in_pod and jax.default_backend() == 'cpu':
    # JAX has no public name for it. Without it there are more lines.
    with contextlib.suppress(ImportError, AttributeError):
      from jax._src.lib import utils

      utils.absl_set_min_log_level(_FATAL)
