"""Leaderboards, overviews and staged runs."""

from bad_input.case import Case, Make, together
from bad_input.inputs import (
  directory,
  fifo,
  file,
  json_edited,
  link,
  packed,
  removed,
  trained,
)
from bad_input.tables.commands import EVAL, TRAIN

_BOARD = (
  'leaderboard --config=leaderboard:folder64 --workdir=board '
  '--config.shared=data.path=packed --config.shared=batch_size=16 '
  '--config.shared=epochs=1 --config.shared=model.width=0.125'
)
_OVERVIEW = 'overview --workdir run --out overview.png'
_STAGED = TRAIN.replace('cpl:', 'staged:cpl,')


def _board(options: str, *words: str, make: Make = packed) -> Case:
  return Case(f'leaderboard {options}', f'{_BOARD} {options}', words, make)


def _own(title: str, rows: str, *words: str) -> Case:
  text = (
    'from owdfa_jax.configs import leaderboard\n'
    'def get_config(benchmark="folder64"):\n'
    '  config = leaderboard.get_config(benchmark)\n'
    f'  config.unlock()\n  config.rows = {rows}\n  return config\n'
  )
  return Case(
    f'leaderboard: {title}',
    _BOARD.replace('leaderboard:folder64', 'mine.py'),
    words,
    together(packed, file('mine.py', text)),
  )


def _overview(title: str, *makes: Make, words: tuple[str, ...] = ()) -> Case:
  return Case(
    f'overview: {title}',
    _OVERVIEW,
    words,
    together(trained, *makes),
    trained=True,
  )


CASES = (
  Case('leaderboard: no config', 'leaderboard', ('--config=leaderboard',)),
  Case(
    'leaderboard: of a run',
    'leaderboard --config=cpl:folder64',
    ('cpl:folder64',),
  ),
  Case(
    'leaderboard: no folder',
    'leaderboard --config=leaderboard:folder64',
    ('--workdir',),
  ),
  Case(
    'leaderboard: a bucket',
    _BOARD.replace('=board', '=s3://bucket/board'),
    ('s3://bucket/board',),
    packed,
  ),
  _board('--config.benchmark=nothing', 'nothing'),
  _board("--config.seeds='()'", '--config.seeds'),
  _board("--config.seeds='(0, 0)'", '--config.seeds'),
  _board("--config.seeds='(-1,)'", '--config.seeds'),
  _board("--config.seeds='(1.5,)'", '--config.seeds'),
  _board('--config.seeds=4294967296', '4294967296'),
  _board('--config.selection=luck', 'luck'),
  _board('--config.metric=luck', 'luck'),
  _board('--config.only_rows=Nobody', 'Nobody'.lower()),
  _board('--config.only_seeds=7', '7'),
  _board('--config.shared=epochs', 'epochs'),
  _board('--config.shared=seed=3', 'seed=3'),
  _board('--config.shared=epochs=many', 'epochs=many'),
  _board('--config.shared=nothing=1', 'nothing=1'),
  _board('--config.shared=optimizer=adam', 'optimizer=adam'),
  _board('--config.shared=optimizer.learning_rate=nan', 'learning_rate'),
  _board("--config.shared='epochs=(((((1'", 'epochs=((((('),
  _board('--config.shared=batch_size=1024', 'batch'),
  _own('no rows', '()', '--config.rows'),
  _own('a row that is a text', '("CPL",)', 'CPL'),
  _own('a row without a config', '({"name": "CPL"},)', 'CPL'),
  _own(
    'a row with a config that is not there',
    '({"name": "A", "config": "no"},)',
    'no',
  ),
  _own('a row with a path', '({"name": "A", "config": "../cpl"},)', '../cpl'),
  _own('a row without a letter', '({"name": "---", "config": "cpl"},)', '---'),
  _own('a row with a bar', '({"name": "A|B", "config": "cpl"},)', 'A|B'),
  _own(
    'a row with an escape sequence',
    '({"name": "A\\x1b[31m", "config": "cpl"},)',
    'A',
  ),
  _own(
    'two rows of one folder',
    '({"name": "A", "config": "cpl"}, {"name": "a", "config": "cpl"})',
    'a',
  ),
  _own(
    'rows of other data',
    '({"name": "A", "config": "cpl", "overrides": ("eval.split=train",)}, '
    '{"name": "B", "config": "cpl"})',
    'eval.split',
  ),
  _own(
    'an override as a number',
    '({"name": "A", "config": "cpl", "overrides": (3,)},)',
    '3',
  ),
  Case(
    'leaderboard: the folder is a file',
    _BOARD,
    ('board',),
    together(packed, file('board')),
  ),
  Case(
    'leaderboard: a row in the place of a file',
    f'{_BOARD} --config.only_rows=CPL --config.only_seeds=0',
    ('board/cpl-0',),
    together(packed, file('board/cpl-0')),
    leaves=('board/leaderboard*',),
  ),
  Case('overview: no workdir', 'overview', ('--workdir',)),
  Case(
    'overview: another format',
    'overview --workdir run --out over.pdf',
    ('--out=over.pdf', '.png'),
  ),
  Case('overview: nothing there', _OVERVIEW, ('run',)),
  Case('overview: a file', _OVERVIEW, ('run',), file('run')),
  _overview(
    'no report', removed('run/report.json'), words=('run/report.json',)
  ),
  _overview(
    'no attributions',
    removed('run/attributions.csv'),
    words=('run/attributions.csv',),
  ),
  _overview(
    'the report is not JSON',
    file('run/report.json', '{'),
    words=('run/report.json',),
  ),
  _overview(
    'the report is a list',
    file('run/report.json', '[1]'),
    words=('run/report.json',),
  ),
  _overview(
    'the report is deep',
    file('run/report.json', '[' * 200_000),
    words=('run/report.json',),
  ),
  _overview(
    'the report is a FIFO', fifo('run/report.json'), words=('run/report.json',)
  ),
  _overview(
    'the report is endless',
    link('run/report.json', '/dev/zero'),
    words=('run/report.json',),
  ),
  _overview(
    'the report is not UTF-8',
    file('run/report.json', b'\xff'),
    words=('run/report.json',),
  ),
  _overview(
    'the report lacks classes',
    json_edited('run/report.json', lambda c: c.pop('per_class')),
    words=('report.json',),
  ),
  _overview(
    'no class has images',
    json_edited('run/report.json', lambda c: c.update(per_class=[])),
    words=('report.json',),
  ),
  _overview(
    'a class with another label',
    json_edited(
      'run/report.json', lambda c: c['per_class'][0].update(label=99)
    ),
    words=('report.json',),
  ),
  _overview(
    'a class as a text',
    json_edited('run/report.json', lambda c: c.update(per_class=['m0'])),
    words=('report.json',),
  ),
  _overview(
    'the config is a list',
    file('run/config.json', '[1]'),
    words=('run/config.json',),
  ),
  _overview(
    'the config has no data',
    json_edited('run/config.json', lambda c: c.pop('data')),
    words=('config.json',),
  ),
  _overview(
    'the attributions are empty',
    file('run/attributions.csv'),
    words=('attributions.csv',),
  ),
  _overview(
    'the attributions are binary',
    file('run/attributions.csv', bytes(range(256))),
    words=('run/attributions.csv',),
  ),
  _overview(
    'the attributions lack a column',
    file('run/attributions.csv', 'image\na.png\n'),
    words=('attributions.csv',),
  ),
  _overview(
    'an output that is a text',
    file(
      'run/attributions.csv',
      'image,true_source,source,confidence,output\na,m0,m0,1,x\n',
    ),
    words=('attributions.csv',),
  ),
  _overview(
    'the data is gone',
    json_edited('run/config.json', lambda c: c['data'].update(path='/gone')),
    words=('/gone',),
  ),
  Case(
    'overview: out is a folder',
    _OVERVIEW,
    ('overview.png',),
    together(trained, directory('overview.png')),
    trained=True,
  ),
  Case(
    'overview: out below a file',
    _OVERVIEW.replace('overview.png', 'file/o.png'),
    ('file/o.png',),
    together(trained, file('file')),
    trained=True,
  ),
  Case(
    'overview: other data',
    f'{_OVERVIEW} --data nowhere',
    ('nowhere',),
    trained,
    trained=True,
  ),
  Case(
    'staged: a step to evaluate',
    f'{_STAGED} --config.eval.checkpoint=3',
    ('3',),
    packed,
  ),
  Case(
    'staged: pseudo-labels given',
    f'{_STAGED} --config.data.pseudo_labels=x',
    ('pseudo_labels=x',),
    packed,
  ),
  Case(
    'staged: nothing to evaluate',
    EVAL.replace('cpl:', 'staged:cpl,'),
    ('1-supervised',),
    packed,
  ),
  Case(
    'staged: a bucket',
    _STAGED.replace('=run', '=s3://b/run'),
    ('s3://b/run',),
    packed,
  ),
  Case(
    'staged: a stage is a file',
    _STAGED,
    ('1-supervised',),
    together(packed, file('run/1-supervised')),
  ),
  Case(
    'staged: a run of one stage is there',
    _STAGED,
    ('run',),
    trained,
    trained=True,
  ),
)
