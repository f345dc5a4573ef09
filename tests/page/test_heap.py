"""The heap of a discovery: its clusters, and what the page shows of them."""

import json
import re

import cv2
import numpy as np
import pytest

from helpers.heap_tables import found, write_heap
from helpers.page_runs import HOSTILE, Reader, write_run
from input_pipeline.errors import UserError
from owdfa_jax.commands import names
from owdfa_jax.evaluation import heap_record, names_file
from owdfa_jax.page.heap_answers import read_heap
from owdfa_jax.page.run_files import read_run
from owdfa_jax.page.write_page import write_page


@pytest.fixture
def run(tmp_path):
  """A run of four outputs; the heap has a fifth one, and no novel-2."""
  folder = tmp_path / 'run'
  write_run(folder)
  for number in range(3):
    image = np.full((20, 30, 3), 40 * number, np.uint8)
    cv2.imwrite(str(tmp_path / f'{number}.png'), image)
  write_heap(
    folder,
    found(tmp_path / '0.png', 3, 0.8),
    found(tmp_path / '1.png', 4, 0.6),
    found(tmp_path / '2.png', 4, 0.9),
    found(tmp_path / 'gone.png', 4, 0.3, verdict='inconclusive'),
    found('b.png', 1, 0.7, source='b', verdict='known'),
    ('none.png', 'none of these', 'none of these', '', 4, ''),
    ('broken.png', '', '', '', '', 'cut short'),
  )
  return folder


def test_answers_for_the_heap_are_counted(run):
  heap = read_heap(run, 2, {})
  assert heap.name == {3: 'novel-3', 4: 'novel-4', 1: 'b'}
  assert heap.output.tolist() == [3, 4, 4, 4, 1]
  counts = heap.num_none, heap.num_inconclusive, heap.num_unreadable
  assert counts == (1, 1, 1) and heap.is_current


def test_a_line_of_a_frame_or_a_face_is_not_counted(run):
  path = run / 'heap_attributions.csv'
  path.write_text(
    'image,verdict,source,confidence,output,frame,face,error\n'
    'v.mp4,found,novel-3,0.9,3,0,,\n'
    'v.mp4,found,novel-3,0.9,3,,,\n'
    'i.png,found,novel-4,0.9,4,,1,\n'
    'i.png,found,novel-3,0.9,3,,,\n'
  )
  assert read_heap(run, 2, {}).output.tolist() == [3, 3]


@pytest.mark.parametrize(
  'given, is_current',
  [
    ({}, True),
    ({4: 'X'}, False),
    ({2: 'X'}, True),
  ],
)
def test_a_table_of_other_names_is_told(run, given, is_current):
  assert read_heap(run, 2, given).is_current == is_current


def test_an_image_of_a_shared_name_may_be_called_by_it(run):
  given = {2: 'X', 3: 'X'}
  # The output of the line is 4; 2 and 3 together are more probable.
  write_heap(run, found('a.png', 4, source='X'), found('b.png', 3, source='X'))
  heap = read_heap(run, 2, given)
  assert heap.is_current and heap.called.tolist() == [3, 3]
  heap = read_heap(run, 2, {})
  assert not heap.is_current and heap.called.tolist() == [4, 3]


@pytest.mark.parametrize(
  'parts, is_current',
  [
    ({4: ('', 'X')}, True),
    ({4: ('', 'Y')}, False),
    ({4: ('A', 'X')}, False),
    ({}, False),
  ],
)
def test_a_part_is_the_source_of_its_images(run, parts, is_current):
  write_heap(
    run,
    found('a.png', 4, source='novel-4.1'),
    found('b.png', 4, source='X'),
    found('c.png', 3),
    found('d.png', 1, source='X'),  # together with another output of that name
    found('e.png', 1, source='b'),
  )
  heap = read_heap(run, 2, {2: 'X'}, parts)
  assert heap.is_current == is_current
  assert heap.name == {4: 'novel-4', 3: 'novel-3', 1: 'b'}
  assert heap.part[2:] == ['', '', '']
  if is_current:
    assert heap.part[:2] == ['novel-4.1', 'X']


def test_the_page_counts_the_parts_of_a_cluster(run):
  names.main([str(run)])
  named = names_file.read_names(run)
  names_file.write_names(run, named._replace(parts={4: ('', '')}))
  lines = [found(n, 4, source='novel-4.2') for n in 'abc']
  write_heap(run, *lines, found('d', 4, source='novel-4.1'), found('e', 3))
  assert 'of its parts: novel-4.1 1, novel-4.2 3' in page_of(run)[1]


def test_clusters_of_a_name_are_one(run):
  heap = read_heap(run, 2, {3: 'X', 4: 'X'})
  assert heap.called.tolist() == [3, 3, 3, 3, 1]


def test_a_damaged_table_is_one_line(run):
  (run / 'heap_attributions.csv').write_text('image,error\nx,\n')
  with pytest.raises(UserError, match=r"damaged file: .*csv \('source'\); rem"):
    read_heap(run, 2, {})


def page_of(run):
  reader = Reader()
  page = write_page(read_run(run, folder=run), run, dataset=None).read_text()
  reader.feed(page)
  return page, ' '.join(reader.text.split())


def test_the_page_shows_clusters_that_no_test_image_got(run):
  page, text = page_of(run)
  assert 'Of 6 images of unknown source, 5 got one of these names' in text
  more = '1 more file is no image or could not be read.'
  assert f'1 is of none of these sources. {more}' in text
  assert 'Shares are of the images that got a name.' in text
  assert '>gone.png</bdi><br>' in page
  assert 'novel-4 no test images' in text
  assert '6 images of unknown source are too few to tell' in text
  assert 'In the heap: 3 images (60.0 %), mean confidence 60.0 %' in text
  # Three files are there, and one of the cluster is not.
  assert page.count('<img') == 3 and 'gone.png' in text
  assert (run / 'page' / 'heap-4.png').exists()
  assert not (run / 'page' / 'heap-1.png').exists()
  targets = re.findall(r'href="#(name-\d)"', page)
  assert targets == ['name-4', 'name-3', 'name-1']
  assert all(f'id="{target}"' in page for target in targets)


def test_the_page_says_what_has_changed_since(run):
  made_by = heap_record.made_by(run, 7, 'head')
  heap_record.write_heap_record(run, heap_record.HeapRecord(made_by))
  text = page_of(run)[1]
  assert 'Changed since' not in text and 'by the checkpoint of step 7' in text
  names.main([str(run), '4=X'])
  text = page_of(run)[1]
  assert 'Changed since these answers were written: the names.' in text


def test_the_page_says_that_the_two_kinds_of_confidence_differ(run):
  words = 'Confidences of the heap are those of new images, with a temperature'
  assert words not in page_of(run)[1]
  report = json.loads((run / 'report.json').read_text())
  report['calibration'] = {
    'temperature': 3.2,
    'expected_accuracy': 0.7,
    'expected_calibration_error': None,
    'reliability': None,
  }
  (run / 'report.json').write_text(json.dumps(report))
  assert f'{words} of 3.20; those of test images' in page_of(run)[1]


def test_a_heap_of_many_images_is_not_doubted(run):
  write_heap(run, *[found(f'{n}.png', 3) for n in range(16)])
  assert 'too few to tell' not in page_of(run)[1]


def test_pictures_of_the_heap_are_kept(run, tmp_path):
  page_of(run)
  for path in tmp_path.glob('*.png'):
    path.unlink()
  assert page_of(run)[0].count('<img') == 3


def test_a_name_of_a_heap_is_text(run):
  names.main([str(run), f'4={HOSTILE[0]}'])
  page, text = page_of(run)
  assert f'{HOSTILE[0]} (novel-4)' in text and '<script' not in page


def test_a_page_of_another_folder_is_all_that_is_written(run, tmp_path):
  before = {*run.iterdir()}
  path = tmp_path / 'out' / 'x.html'
  found = read_run(run, folder=run)
  assert write_page(found, run, dataset=None, out=path) == path
  # What was computed is kept in the run.
  assert {*run.iterdir()} - before == {run / 'heap-7.npz'}
  assert [*path.parent.iterdir()] == [path]
  assert 'are also in the folder' not in path.read_text()
