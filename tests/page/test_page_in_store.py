"""The page of a run in a bucket; the store is in memory."""

import json

import pytest

from input_pipeline import files, object_store
from owdfa_jax.page.page_in_store import draw_in_store

RUN = {
  'report.json': json.dumps({'checkpoint_step': 6}),
  'attributions.csv': 'image\n',
  'page/name-0.png': 'older',
  'page/name-1.png': 'of an output that has no image now',
  'checkpoints/6/manifest.json': '6',
  'checkpoints/12/manifest.json': '12',
  'tensorboard/events': 'many',
}


@pytest.mark.parametrize('stage', ['', '2-cpl/'])
def test_drawn_in_a_copy_of_what_is_needed(tmp_path, stage):
  url = f'memory://bucket{tmp_path}/{stage}/mine'
  for name, text in RUN.items():
    with files.write_whole(f'{url}/{stage}{name}', text=True) as file:
      file.write(text)
  seen = []

  def draw(folder):
    here = folder / stage
    seen.extend(p.relative_to(here) for p in here.rglob('*') if p.is_file())
    assert folder.name == 'mine'
    (here / 'page' / 'name-1.png').unlink()
    (here / 'page' / 'name-0.png').write_text('newer')
    (folder / 'report.html').write_text('page')
    return folder / 'report.html'

  assert draw_in_store(url, draw) == f'{url}/report.html'
  assert sorted(map(str, seen)) == [
    'attributions.csv',
    'checkpoints/6/manifest.json',
    'page/name-0.png',
    'page/name-1.png',
    'report.json',
  ]
  names = {f'{stage}{name}' for name in RUN} - {f'{stage}page/name-1.png'}
  assert set(object_store.object_names(url)) == names | {'report.html'}
  assert files.read_text(f'{url}/report.html') == 'page'
  assert files.read_text(f'{url}/{stage}page/name-0.png') == 'newer'
