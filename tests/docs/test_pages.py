"""The pages are current: made parts, links, and the map of modules."""

import re
import runpy

import pytest

from helpers import doc_pages
from helpers.paths import ROOT
from input_pipeline import data_card

_LINK = re.compile(r'\[[^\]]*\]\(([^)\s]+)\)')


def anchors(page):
  """The anchors of a page's headings, as GitHub makes them."""
  found = set()
  for title in re.findall(r'^#+ (.+)$', doc_pages.prose(page), re.MULTILINE):
    words = re.sub(r'[^\w\- ]', '', re.sub(r'[`*]', '', title).lower())
    found.add(words.strip().replace(' ', '-'))
  return found


@pytest.mark.parametrize(
  'page', doc_pages.PAGES, ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_links_lead_somewhere(page):
  broken = []
  for link in _LINK.findall(doc_pages.prose(page)):
    if link.startswith(('http://', 'https://')):
      continue
    path, _, anchor = link.partition('#')
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or (anchor and anchor not in anchors(target)):
      broken.append(link)
  assert not broken


def test_pages_made_from_docstrings_are_current():
  made = runpy.run_path(str(ROOT / 'docs' / 'make_pages.py'))['pages']()
  stale = [path.name for path, text in made.items() if path.read_text() != text]
  assert not stale, f'run `python docs/make_pages.py`: {stale}'


def test_architecture_lists_every_module():
  text = (ROOT / 'docs' / 'architecture.md').read_text()
  listed = set(_LINK.findall(text.partition('## Every module')[2]))
  modules = {'main.py'}
  for package in ('owdfa_jax', 'input_pipeline', 'configs'):
    for path in (ROOT / package).rglob('*.py'):
      place = path.relative_to(ROOT)
      # owdfa_jax/configs is a link to configs.
      if path.name != '__init__.py' and place.parts[:2] != (
        'owdfa_jax',
        'configs',
      ):
        modules.add(place.as_posix())
  assert listed == {f'../{module}' for module in modules}


def test_readme_is_one_page():
  assert len((ROOT / 'README.md').read_text().splitlines()) <= 150


def test_readme_leads_to_every_page():
  linked = set(_LINK.findall((ROOT / 'README.md').read_text()))
  pages = {f'docs/{page.name}' for page in (ROOT / 'docs').glob('*.md')}
  assert pages <= {link.partition('#')[0] for link in linked}


def test_contributing_names_what_is_there():
  """Tables such as `METHODS` are in a file that the same line links to."""
  missing = []
  for line in (ROOT / 'CONTRIBUTING.md').read_text().splitlines():
    files = [path for path in _LINK.findall(line) if path.endswith('.py')]
    text = ''.join((ROOT / path).read_text() for path in files)
    for name in re.findall(r'`([A-Z][A-Z_]+[A-Z])`', line) if files else ():
      if not re.search(rf'^{name}\b', text, re.MULTILINE):
        missing.append((name, files))
  assert not missing


def test_data_card_of_the_docs_is_accepted(tmp_path):
  (text,) = doc_pages.blocks(ROOT / 'docs' / 'data.md', 'toml')
  (tmp_path / 'card.toml').write_text(text)
  card = data_card.read_card(str(tmp_path / 'card.toml'))
  assert card.licence == 'CC BY 4.0'
  assert card.sources['folder'].title == 'Our own photographs'
