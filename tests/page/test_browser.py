"""The page in a browser, where there is one."""

import shutil
import subprocess

import pytest

from helpers.page_runs import HOSTILE, Reader, keep_images, write_run
from owdfa_jax.page.content import clean_name
from owdfa_jax.page.run_files import read_run
from owdfa_jax.page.write_page import write_page

BROWSER = shutil.which('chromium') or shutil.which('google-chrome')


# Starting a browser takes seconds.
@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason='there is no browser')
def test_browser_finds_no_element_in_hostile_names(tmp_path):
  write_run(tmp_path / 'run', HOSTILE)
  run = read_run(tmp_path / 'run')
  keep_images(run)
  path = write_page(run, tmp_path / 'run', dataset=None)
  done = subprocess.run(
    [
      *(BROWSER, '--headless', '--no-sandbox', '--disable-gpu'),
      *('--enable-logging=stderr', '--dump-dom', f'file://{path}'),
    ],
    capture_output=True,
    text=True,
    timeout=300,
  )
  # What the browser's own parser made of the page.
  page = Reader()
  page.feed(done.stdout)
  assert 'script' not in page.tags and page.tags.count('h2') >= 6
  assert not [key for key, _ in page.attributes if key.startswith('on')]
  for name in HOSTILE:
    assert clean_name(name) in page.text
  # Refused loads and errors of the page are on its console.
  assert 'CONSOLE' not in done.stderr
