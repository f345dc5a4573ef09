"""What commands do before their work."""

import jax
import pytest

from input_pipeline.files import cache_folder
from owdfa_jax.commands import startup

LEAST_SECONDS = 'jax_persistent_cache_min_compile_time_secs'


@pytest.fixture
def cache_dir():
  """Returns a function that tells JAX's cache folder; restores the settings."""
  names = 'jax_compilation_cache_dir', LEAST_SECONDS
  before = {name: getattr(jax.config, name) for name in names}
  jax.config.update('jax_compilation_cache_dir', 'as it was')
  yield lambda: jax.config.jax_compilation_cache_dir
  for name, value in before.items():
    jax.config.update(name, value)


@pytest.mark.parametrize(
  ('given', 'kept'), [(1.0, 0.1), (0.0, 0.0), (5.0, 5.0)]
)
def test_least_seconds_unless_the_user_has_chosen(cache_dir, given, kept):
  jax.config.update(LEAST_SECONDS, given)
  startup.use_compilation_cache('~/compiled')
  assert getattr(jax.config, LEAST_SECONDS) == kept


def test_cache_folder(monkeypatch):
  monkeypatch.setenv('HOME', '/home/me')
  monkeypatch.delenv('OWDFA_CACHE', raising=False)
  monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
  assert cache_folder() == '/home/me/.cache/owdfa-jax'
  monkeypatch.setenv('XDG_CACHE_HOME', '/var/cache/me')
  assert cache_folder() == '/var/cache/me/owdfa-jax'
  monkeypatch.setenv('OWDFA_CACHE', '~/mine')
  assert cache_folder() == '/home/me/mine'


def test_auto_is_in_the_users_cache(cache_dir, monkeypatch):
  monkeypatch.setenv('OWDFA_CACHE', '/cache')
  startup.use_compilation_cache('auto')
  assert cache_dir() == '/cache/compiled'


def test_a_folder_of_the_user(cache_dir, monkeypatch):
  monkeypatch.setenv('HOME', '/home/me')
  startup.use_compilation_cache('~/compiled')
  assert cache_dir() == '/home/me/compiled'


def test_no_cache(cache_dir):
  startup.use_compilation_cache('')
  assert cache_dir() == 'as it was'
