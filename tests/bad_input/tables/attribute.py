"""Images to attribute."""

from bad_input.case import Case, Make, together
from bad_input.inputs import (
  directory,
  fifo,
  file,
  link,
  nothing,
  packed,
  photos,
  trained,
)
from bad_input.tables.commands import ATTRIBUTE, TRAIN


def _images(title: str, make: Make, *words: str) -> Case:
  return Case(
    f'attribute: {title}',
    ATTRIBUTE,
    ('--images=photos', *words),
    together(packed, make),
  )


CASES = (
  Case(
    'attribute: images not given',
    ATTRIBUTE.replace('--images=photos', ''),
    ('--images',),
    packed,
  ),
  Case(
    'attribute: images empty',
    ATTRIBUTE.replace('=photos', "=''"),
    ('--images',),
    packed,
  ),
  _images('no such folder', nothing),
  _images('a file', file('photos')),
  _images('a FIFO', fifo('photos')),
  _images('a device', link('photos', '/dev/zero')),
  _images('a link to itself', link('photos', 'photos')),
  _images('an empty folder', directory('photos')),
  _images('texts alone', file('photos/a.txt', 'x')),
  _images('hidden files alone', file('photos/.a.png', 'x')),
  Case(
    'attribute: a bucket',
    ATTRIBUTE.replace('=photos', '=gs://bucket/photos'),
    ('gs://bucket/photos',),
    packed,
  ),
  Case(
    'attribute: no run', ATTRIBUTE, ('train first',), together(packed, photos)
  ),
  Case(
    'attribute: other classes than the run',
    f'{ATTRIBUTE} --config.data.num_classes=9',
    ('num_classes=9',),
    together(trained, photos),
    trained=True,
  ),
  Case(
    'pod: a number of processes without --distributed',
    f'{TRAIN} --num_processes=2',
    ('--num_processes', '--distributed'),
    packed,
  ),
  Case(
    'pod: a coordinator without --distributed',
    f'{TRAIN} --coordinator=host:1',
    ('--coordinator', '--distributed'),
    packed,
  ),
  Case(
    'pod: a process number without --distributed',
    f'{TRAIN} --process_id=0',
    ('--process_id', '--distributed'),
    packed,
  ),
  Case(
    'pod: no processes',
    f'{TRAIN} --distributed --num_processes=0 --process_id=0 '
    '--coordinator=127.0.0.1:1',
    ('--num_processes=0',),
    packed,
  ),
  Case(
    'pod: a process number too large',
    f'{TRAIN} --distributed --num_processes=2 --process_id=2 '
    '--coordinator=127.0.0.1:1',
    ('--process_id=2',),
    packed,
  ),
  Case(
    'pod: a negative process number',
    f'{TRAIN} --distributed --num_processes=2 --process_id=-1 '
    '--coordinator=127.0.0.1:1',
    ('--process_id=-1',),
    packed,
  ),
  Case(
    'pod: a coordinator without a port',
    f'{TRAIN} --distributed --num_processes=2 --process_id=1 '
    '--coordinator=host',
    ('--coordinator=host',),
    packed,
  ),
  Case(
    'pod: nothing is known of it',
    f'{TRAIN} --distributed',
    ('--coordinator',),
    packed,
  ),
)
