"""Counts the programs that JAX compiles."""

from collections.abc import Callable

import jax.monitoring

_EVENT = '/jax/core/compile/backend_compile_duration'


def count_compilations() -> Callable[[], int]:
  """Returns a function that returns how many were compiled since."""
  events: list[str] = []
  jax.monitoring.register_event_duration_secs_listener(
    lambda event, seconds, **_: events.append(event)
  )
  return lambda: events.count(_EVENT)
