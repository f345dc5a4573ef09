"""Images and folders that `owdfa discover` gets."""

from bad_input.case import Case, together
from bad_input.inputs import classes, directory, file, link, photos, trained

_FOLDERS = 'discover --known faces --images photos --out out'
_RUN = 'discover --workdir run --images photos --out out'
_BOTH = together(classes, photos)

CASES = (
  Case(
    'discover: no class folders',
    _FOLDERS,
    ('no class folders',),
    together(directory('faces'), photos),
  ),
  Case('discover: no known folder', _FOLDERS, ('no such folder',), photos),
  Case('discover: no heap', _FOLDERS, ('photos',), classes),
  Case(
    'discover: a heap of links to nothing',
    _FOLDERS,
    ('no images', 'photos'),
    together(classes, link('photos/a.png', 'gone')),
  ),
  Case(
    'discover: classes without an image',
    _FOLDERS,
    ('--known', 'has none in its folders'),
    together(directory('faces/A'), photos),
  ),
  Case(
    'discover: the heap among the known images',
    _FOLDERS.replace('photos', 'faces/A'),
    ('known images in the heap', 'faces/A'),
    classes,
  ),
  Case(
    'discover: --out is a file',
    _FOLDERS,
    ('out/discover.json', 'give a new --out'),
    together(_BOTH, file('out', 'x')),
  ),
  Case(
    'discover: a damaged record',
    _FOLDERS,
    ('damaged file', 'discover.json'),
    together(_BOTH, file('out/discover.json', '[1')),
  ),
  Case(
    'discover: a record of something else',
    _FOLDERS,
    ('damaged file', 'discover.json'),
    together(_BOTH, file('out/discover.json', '{"known": 1}')),
  ),
  Case(
    'discover: a video among the known images',
    _FOLDERS,
    ('videos, not images', '--known', 'faces/A/clip.mp4'),
    together(_BOTH, file('faces/A/clip.mp4', 'x')),
  ),
  Case(
    'discover: a video in the heap',
    _FOLDERS,
    ('videos, not images', '--images', 'photos/clip.mp4'),
    together(_BOTH, file('photos/clip.mp4', 'x')),
  ),
  Case(
    'discover: a misspelt setting and nothing else',
    'discover --config.epohs=3',
    ('--config.epohs=3', 'did you mean epochs?'),
  ),
  Case('discover: no run', _RUN, ('no run: run does not exist',), photos),
  Case(
    'discover: more groups than allowed',
    f'{_RUN} --clusters=1000000',
    ('--clusters=1000000',),
    together(trained, photos),
    trained=True,
  ),
)
