"""The page in a browser, where there is one."""

import html
import re
import shutil
import subprocess

import pytest

from helpers.heap_tables import found, write_heap
from helpers.page_runs import HOSTILE, Reader, keep_images, write_run
from owdfa_jax.page.content import clean_name
from owdfa_jax.page.run_files import read_run
from owdfa_jax.page.write_page import write_page

BROWSER = shutil.which('chromium') or shutil.which('google-chrome')


# Starting a browser takes seconds.
pytestmark = [
  pytest.mark.slow,
  pytest.mark.skipif(BROWSER is None, reason='there is no browser'),
]


@pytest.fixture(scope='module')
def page(tmp_path_factory):
  """A page with everything on it, and hostile names."""
  root = tmp_path_factory.mktemp('pages')
  long_name = 'a_name_without_a_blank_' * 6
  names = (*HOSTILE, long_name)
  write_run(root / 'run', names)
  write_run(root / 'other', names, seed=1)
  write_heap(root / 'run', found('a.png', 3), found('b.png', 4))
  run = read_run(root / 'run', folder=root / 'run')
  keep_images(run)
  return write_page(
    run,
    root / 'run',
    dataset=None,
    stages={long_name: run.report},
    other=read_run(root / 'other'),
  )


def dump(path):
  """Returns what a browser makes of a file, and what it says."""
  done = subprocess.run(
    [
      *(str(BROWSER), '--headless', '--no-sandbox', '--disable-gpu'),
      *('--enable-logging=stderr', '--dump-dom', f'file://{path}'),
    ],
    capture_output=True,
    text=True,
    timeout=300,
  )
  return done.stdout, done.stderr


def test_browser_finds_no_element_in_hostile_names(page):
  content, said = dump(page)
  # What the browser's own parser made of the page.
  found_there = Reader()
  found_there.feed(content)
  assert 'script' not in found_there.tags
  assert found_there.tags.count('h2') >= 8
  assert not [k for k, _ in found_there.attributes if k.startswith('on')]
  for name in HOSTILE:
    assert clean_name(name) in found_there.text
  # Refused loads and errors of the page are on its console.
  assert 'CONSOLE' not in said


@pytest.mark.parametrize('width', [320, 390, 1280])
def test_only_boxes_scroll_sideways(page, tmp_path, width):
  """The page fits its window; what is wider scrolls in a box of its own."""
  measure = """
    const inside = document.querySelector('iframe').contentDocument;
    const boxes = [...inside.querySelectorAll('.scroll')];
    const wide = boxes.filter(x => x.scrollWidth > x.clientWidth);
    document.title = [inside.documentElement.scrollWidth, wide.length,
      wide.filter(x => x.tabIndex < 0).length].join(' ');
  """
  # A window of a browser without a screen has a least width, a frame has none.
  frame = html.escape(page.read_text(), quote=True)
  outer = tmp_path / 'outer.html'
  outer.write_text(
    f'<title></title><iframe style="border: 0" width={width} height=800 '
    f'srcdoc="{frame}"></iframe><script>onload = () => {{{measure}}}</script>'
  )
  content, _ = dump(outer)
  title = re.findall('<title>(.*?)</title>', content)[0]
  page_width, num_wide, num_out_of_reach = map(int, title.split())
  assert page_width <= width and num_out_of_reach == 0
  assert (num_wide > 0) == (width < 1000)
