"""Workdirs that cannot be used, and files in them that are damaged."""

from bad_input.case import Case, together
from bad_input.inputs import (
  directory,
  edited,
  fifo,
  file,
  json_edited,
  link,
  packed,
  photos,
  removed,
  trained,
)
from bad_input.tables.commands import ATTRIBUTE, EVAL, TRAIN

_NO_WORKDIR = TRAIN.replace('--workdir=run', '')


def _resumed(name: str, *makes, words: tuple[str, ...] = ()) -> Case:
  return Case(
    f'resume: {name}',
    f'{TRAIN} --config.epochs=2',
    words,
    together(trained, *makes),
    leaves=('run/config.json', 'run/.lock'),
    trained=True,
  )


CASES = (
  Case('workdir: none', _NO_WORKDIR, ('--workdir',), packed),
  Case('workdir: empty', f"{_NO_WORKDIR} --workdir=''", ('--workdir',), packed),
  Case(
    'workdir: blank', f"{_NO_WORKDIR} --workdir=' '", ('--workdir',), packed
  ),
  Case(
    'workdir: a bucket without a folder',
    f'{_NO_WORKDIR} --workdir=gs://bucket/',
    ('gs://bucket', 'gs://BUCKET/FOLDER'),
    packed,
  ),
  Case(
    'workdir: another bucket',
    f'{_NO_WORKDIR} --workdir=s3://bucket/run',
    ('s3://bucket/run',),
    packed,
  ),
  Case(
    'workdir: a file URL',
    f'{_NO_WORKDIR} --workdir=file:///tmp/run',
    ('file:///tmp/run',),
    packed,
  ),
  Case(
    'workdir: a file',
    TRAIN,
    ('run', 'is not a folder'),
    together(packed, file('run')),
  ),
  Case(
    'workdir: below a file',
    f'{_NO_WORKDIR} --workdir=file/run',
    ('file/run',),
    together(packed, file('file')),
  ),
  Case('workdir: a FIFO', TRAIN, ('run',), together(packed, fifo('run'))),
  Case(
    'workdir: a link to nothing',
    TRAIN,
    ('run',),
    together(packed, link('run', 'nowhere')),
  ),
  Case(
    'workdir: a link to itself',
    TRAIN,
    ('run',),
    together(packed, link('run', 'run')),
  ),
  Case(
    'workdir: a system folder',
    f'{_NO_WORKDIR} --workdir=/proc/run',
    ('/proc/run',),
    packed,
  ),
  Case(
    'workdir: a name too long',
    f'{_NO_WORKDIR} --workdir={"x" * 300}',
    ('xxx',),
    packed,
  ),
  Case(
    'workdir: the packed data itself',
    f'{_NO_WORKDIR} --workdir=packed',
    ('packed',),
    packed,
  ),
  Case('eval: no workdir', EVAL, ('train first',), packed),
  Case(
    'eval: an empty workdir',
    EVAL,
    ('train first',),
    together(packed, directory('run')),
  ),
  Case(
    'eval: checkpoints are a file',
    EVAL,
    ('run/checkpoints',),
    together(packed, file('run/checkpoints')),
  ),
  Case(
    'attribute: no workdir',
    ATTRIBUTE,
    ('train first',),
    together(packed, photos),
  ),
  _resumed(
    'config.json is empty',
    file('run/config.json'),
    words=('run/config.json',),
  ),
  _resumed(
    'config.json is not JSON',
    file('run/config.json', '{"seed": '),
    words=('run/config.json',),
  ),
  _resumed(
    'config.json is a list',
    file('run/config.json', '[1, 2]'),
    words=('run/config.json',),
  ),
  _resumed(
    'config.json is deep',
    file('run/config.json', '{"a":' * 100_000 + '1' + '}' * 100_000),
    words=('run/config.json',),
  ),
  _resumed(
    'config.json is deep lists',
    file('run/config.json', '[' * 200_000),
    words=('run/config.json',),
  ),
  _resumed(
    'config.json is not UTF-8',
    file('run/config.json', b'\xff\xfe\x00{'),
    words=('run/config.json',),
  ),
  _resumed(
    'config.json is a folder',
    directory('run/config.json'),
    words=('run/config.json',),
  ),
  _resumed(
    'config.json is a FIFO',
    fifo('run/config.json'),
    words=('run/config.json',),
  ),
  _resumed(
    'config.json is endless',
    link('run/config.json', '/dev/zero'),
    words=('run/config.json',),
  ),
  _resumed(
    'config.json of another run',
    json_edited('run/config.json', lambda c: c.update(seed=9)),
    words=('run/config.json', 'seed=9'),
  ),
  _resumed(
    'a seed as a text',
    json_edited('run/config.json', lambda c: c.update(seed='\x1b[31m0')),
    words=('run/config.json', 'seed'),
  ),
  _resumed(
    'config.json with a huge number',
    file('run/config.json', '{"seed": ' + '9' * 10_000 + '}'),
    words=('run/config.json',),
  ),
  _resumed(
    'another seed',
    json_edited('run/config.json', lambda c: c.update(seed=1)),
    words=('seed=1',),
  ),
  _resumed(
    'metrics.jsonl is a folder',
    directory('run/metrics.jsonl'),
    words=('run/metrics.jsonl',),
  ),
  _resumed(
    'metrics.jsonl is a FIFO',
    fifo('run/metrics.jsonl'),
    words=('run/metrics.jsonl',),
  ),
  _resumed(
    'metrics.jsonl is endless',
    link('run/metrics.jsonl', '/dev/zero'),
    words=('run/metrics.jsonl',),
  ),
  Case(
    'resume: tensorboard is a file',
    f'{TRAIN} --config.epochs=2 --config.log.tensorboard=True',
    ('run/tensorboard',),
    together(trained, file('run/tensorboard')),
    leaves=('run/config.json', 'run/metrics.jsonl', 'run/.lock'),
    trained=True,
  ),
  Case(
    'eval: no such step',
    f'{EVAL} --config.eval.checkpoint=7',
    ('step 7',),
    trained,
    trained=True,
  ),
  Case(
    'eval: no step at all',
    f'{EVAL} --config.eval.checkpoint=newest',
    ('newest',),
    trained,
    trained=True,
  ),
  Case(
    'eval: a negative step',
    f'{EVAL} --config.eval.checkpoint=-1',
    ('-1',),
    trained,
    trained=True,
  ),
  Case(
    'eval: a step in other digits',
    f'{EVAL} --config.eval.checkpoint=٣',
    ('٣',),
    trained,
    trained=True,
  ),
  Case(
    'eval: another width',
    f'{EVAL} --config.model.width=0.25',
    ('model.width=0.125',),
    trained,
    trained=True,
  ),
  Case(
    'eval: another method',
    EVAL.replace('cpl:', 'orca:'),
    ('method.name',),
    trained,
    trained=True,
  ),
  Case(
    'eval: report.json is a folder',
    EVAL,
    ('run/report.json',),
    together(trained, removed('run/report.json'), directory('run/report.json')),
    trained=True,
    leaves=('run/attributions.csv', 'run/*.json', 'run/*.npy', 'run/*.npz'),
  ),
  Case(
    'eval: config.json is cut',
    EVAL,
    ('run/config.json',),
    together(trained, edited('run/config.json', lambda x: x[:-9])),
    trained=True,
  ),
)
