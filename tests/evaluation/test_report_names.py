"""Names of classes are shown as text, in tables and in the picture."""

import matplotlib.figure
import numpy as np

from owdfa_jax.evaluation import overview_picture, report

NAMES = ['\x1b[2Jred', 'caf\xe9', 'cafe\u0301', 'F2F ', '\u202eabc']


def entry(output, name):
  return {
    'name': name,
    'known': output < 2,
    'count': 1,
    'accuracy': 1.0,
    'predicted': output,
    'predicted_share': 1.0,
    'matched': output,
  }


def test_the_table_of_classes_has_no_control_characters():
  entries = [entry(output, name) for output, name in enumerate(NAMES)]
  lines = report.class_table(entries, NAMES).splitlines()
  assert all(line.isprintable() for line in lines)
  shown = [line.split('  ')[0] for line in lines[1:]]
  assert shown == [
    *(r'\x1b[2Jred', "'café'", r"'cafe\u0301'", "'F2F '", r'\u202eabc')
  ]


def test_titles_are_text():
  figure = matplotlib.figure.Figure()
  axes = figure.add_subplot()
  name = '$\\frac\x1b-StyleGAN2'
  overview_picture.draw_example(axes, np.zeros((4, 4, 3)), name, 'k')
  assert axes.get_title() == '\\$\\frac\\x1b-\nStyleGAN2'
  figure.canvas.draw()
