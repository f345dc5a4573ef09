"""What people call the method that a run trains, from its settings.

The settings have no field for it: Trace is CPL on a network that sees the
traces of generators. So runs by earlier versions have their title, too.
"""

from collections.abc import Mapping
from typing import Any

# By `method.name`, a key of `parameters.PARAMETERS`.
TITLES = {
  'cal': 'CAL',
  'cpl': 'CPL',
  'mpsl': 'MPSL',
  'orca': 'ORCA',
  'simgcd': 'SimGCD',
  'supervised': 'cross entropy',
}
# By `data.supervision`, of cross entropy.
_BOUNDS = {'labelled': 'lower bound', 'all': 'upper bound'}


def method_title(settings: Mapping[str, Any]) -> str:
  """Returns what people call the method of a run, such as 'Trace in rounds'.

  Args:
    settings: of the run, or of one of its stages: sections are mappings in it.
      A missing setting counts as that of a run by an earlier version.
  """
  if 'spectrum' in settings:
    return 'the spectrum, without a network'
  method, data = settings.get('method', {}), settings.get('data', {})
  name = str(method.get('name', ''))
  title = TITLES.get(name, name)
  traces = _sees_traces(settings.get('model', {}))
  if name == 'cpl':
    if method.get('params', {}).get('counterfactual'):
      title = 'CPL with CDAL'
    elif traces:
      title = 'Trace'
  elif name == 'supervised':
    title = _BOUNDS.get(str(data.get('supervision')), title)
  if traces and title != 'Trace':
    title = f'{title}, network of Trace'
  if rule := settings.get('pseudo', {}).get('rule'):
    title = f'{title} with {rule}'
  in_rounds = 'stages' in settings or data.get('label_by')
  return f'{title} in rounds' if in_rounds else title


def _sees_traces(model: Mapping[str, Any]) -> bool:
  """Returns whether a network sees residuals and their local spectrum."""
  front_end = model.get('front_end') or 'rgb'
  return front_end != 'rgb' and bool(model.get('spectrum_features'))
