"""Classes that are left out, images of unseen sources, and their file."""

from bad_input.case import Case, together
from bad_input.inputs import directory, file, packed, photos, trained
from bad_input.tables.commands import ATTRIBUTE, EVAL, TRAIN

_LEAVE_OUT = '--config.data.leave_out'
_PATH = '--config.eval.unseen_path'

CASES = (
  Case(
    'leave_out: no such class',
    f'{TRAIN} {_LEAVE_OUT}=nobody',
    (_LEAVE_OUT, "no class 'nobody'", 'give names of'),
    packed,
  ),
  Case(
    'leave_out: control characters',
    f"{TRAIN} {_LEAVE_OUT}='\x1b[31m'",
    (_LEAVE_OUT, 'no class'),
    packed,
  ),
  Case(
    'unseen_path: no such folder',
    f'{TRAIN} {_PATH}=nowhere',
    (f'{_PATH}=nowhere', 'no such folder'),
    packed,
  ),
  Case(
    'unseen_path: an empty folder',
    f'{TRAIN} {_PATH}=others',
    (f'{_PATH}=others', 'it is empty'),
    together(packed, directory('others')),
  ),
  Case(
    'unseen_path: a file',
    f'{TRAIN} {_PATH}=others',
    (f'{_PATH}=others', 'not a folder'),
    together(packed, file('others')),
  ),
  Case(
    'unseen_path: a damaged packed directory',
    f'{TRAIN} {_PATH}=others',
    ('others',),
    together(packed, file('others/description.json', '{')),
  ),
  Case(
    'false_alarm_rate: all',
    f'{TRAIN} --config.eval.false_alarm_rate=1',
    ('--config.eval.false_alarm_rate=1',),
    packed,
  ),
  Case(
    'leave_out: another one than the run',
    f'{EVAL} {_LEAVE_OUT}=m0',
    ('leave_out',),
    trained,
    trained=True,
  ),
  Case(
    'sources, eval: no such file',
    EVAL,
    ('damaged sources', 'run/sources-6.npz', 'remove it'),
    together(trained, file('run/sources-6.npz', 'sources')),
    trained=True,
  ),
  Case(
    'sources, attribute: no such file',
    ATTRIBUTE,
    ('damaged sources', 'run/sources-6.npz', 'remove it'),
    together(trained, photos, file('run/sources-6.npz', 'sources')),
    trained=True,
  ),
)
