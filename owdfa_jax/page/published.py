"""Results that the papers report, by the classes of their protocol."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from input_pipeline.benchmarks.owdfa40_classes import owdfa40_protocol
from input_pipeline.benchmarks.owdfa_classes import owdfa_protocol

# The papers' columns, as fields of a report.
_SEVEN = (
  'known_acc',
  'novel_acc',
  'novel_nmi',
  'novel_ari',
  'all_acc',
  'all_nmi',
  'all_ari',
)
_WITH_NEW = (
  'all_acc',
  'all_nmi',
  'all_ari',
  'new_acc',
  'novel_nmi',
  'novel_ari',
  'known_acc',
)


class Published(NamedTuple):
  """Results of one protocol.

  Attributes:
    protocol: its name.
    made_with: how the paper got them, in words.
    columns: fields of a report.
    rows: by the name of a method, its figures in percent.
  """

  protocol: str
  made_with: str
  columns: tuple[str, ...]
  rows: Mapping[str, tuple[float, ...]]


# Sun et al., "Contrastive pseudo learning for open-world deepfake attribution",
# ICCV 2023, of the released code's page.
_OWDFA = {
  1: {
    'lower bound': (99.96, 40.96, 46.43, 24.05, 46.90, 63.18, 36.35),
    'ORCA': (97.17, 66.32, 63.00, 53.30, 80.81, 79.23, 74.05),
    'NACH': (96.88, 70.13, 67.10, 56.63, 82.61, 81.98, 76.41),
    'CPL': (97.50, 71.89, 68.20, 59.37, 83.70, 82.31, 77.64),
    'upper bound': (98.21, 95.36, 91.57, 92.14, 96.68, 93.94, 93.59),
  },
  2: {
    'lower bound': (99.80, 46.48, 48.44, 31.49, 65.73, 68.91, 65.75),
    'ORCA': (95.04, 53.81, 60.01, 38.91, 78.99, 78.04, 83.80),
    'NACH': (96.19, 53.92, 58.49, 38.73, 79.53, 77.91, 84.53),
    'CPL': (95.64, 59.92, 63.90, 43.75, 81.10, 80.23, 84.99),
    'upper bound': (98.57, 94.15, 91.93, 93.11, 96.83, 93.80, 95.05),
  },
}
# Zheng et al., "Open-World Deepfake Attribution via Confidence-Aware Asymmetric
# Learning", AAAI 2026, Table 2.
_ESTIMATES = 'CAL, number of classes estimated'
_OWDFA40 = {
  1: {
    'SimGCD': (73.3, 82.5, 54.5, 65.0, 75.0, 57.6, 81.7),
    'CPL': (82.6, 85.5, 85.1, 64.3, 73.2, 56.3, 96.2),
    'CDAL': (84.3, 87.4, 86.0, 70.0, 77.7, 62.5, 95.3),
    _ESTIMATES: (87.5, 89.7, 90.2, 74.5, 82.3, 70.9, 98.2),
    'CAL': (88.3, 90.3, 91.5, 76.5, 82.2, 72.4, 98.0),
  },
  2: {
    'SimGCD': (74.3, 81.3, 68.4, 62.0, 76.1, 55.8, 86.4),
    'CPL': (79.6, 83.7, 86.3, 63.6, 75.3, 55.3, 95.0),
    'CDAL': (80.2, 83.9, 85.7, 65.7, 76.2, 57.3, 94.1),
    _ESTIMATES: (80.0, 86.1, 88.7, 63.0, 78.2, 59.1, 97.5),
    'CAL': (82.8, 87.2, 90.0, 67.5, 80.2, 63.5, 97.6),
  },
  3: {
    'SimGCD': (85.6, 86.3, 82.9, 78.5, 79.7, 72.3, 90.4),
    'CPL': (86.3, 88.1, 79.2, 74.4, 79.4, 70.4, 90.3),
    'CDAL': (87.3, 88.7, 83.4, 74.4, 78.3, 68.7, 91.6),
    _ESTIMATES: (91.5, 92.1, 91.7, 83.2, 85.4, 79.6, 95.0),
    'CAL': (91.0, 91.8, 91.6, 80.3, 83.9, 77.3, 94.8),
  },
}
_BY_CPL = 'in the paper of CPL: ResNet-50, 256 pixels'
_BY_CAL = (
  'in the paper of CAL, whose authors ran all methods: mean of three runs'
)


def published_rows(
  classes: Collection[tuple[str, bool]],
) -> Published | None:
  """Returns the published results of the protocol with these classes.

  Args:
    classes: the name of each class of a run, and whether it is known.

  Returns:
    None for other classes. Simulated images have shorter names: they are other
    images.
  """
  found = {*classes}
  for number, rows in _OWDFA.items():
    if found == {(x.name, x.known) for x in owdfa_protocol(number)}:
      name = f'OW-DFA, Protocol {number}'
      return Published(name, _BY_CPL, _SEVEN, rows)
  for number, rows in _OWDFA40.items():
    if found == {(x.name, x.known) for x in owdfa40_protocol(number)}:
      name = f'OWDFA-40, Protocol {number}'
      return Published(name, _BY_CAL, _WITH_NEW, rows)
  return None
