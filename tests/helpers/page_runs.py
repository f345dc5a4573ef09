"""Makes the files of an evaluated run, without a network."""

import csv
import html.parser
import json

import numpy as np
from etils import epath

from input_pipeline.escape import spreadsheet
from owdfa_jax.evaluation import details, metrics
from owdfa_jax.evaluation.unseen_report import score_histogram
from owdfa_jax.evaluation.weighted_figures import MeasuredRows
from owdfa_jax.page.feature_map import FeatureMap, write_map
from owdfa_jax.page.galleries import GALLERY, WINDOW, chosen_of_clusters

HOSTILE = (
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  '../../etc/passwd',
  "'; </style></svg>{{ 7 * 7 }}",
  'line\nbreak \u202etxt.exe $x^2$ &amp;',
)
NUM_KNOWN = 2


def write_run(folder, names=('a', 'b', 'c', 'd'), seed=0, heap=False, **fields):
  """Writes the files of a run: two known classes, and novel ones.

  Args:
    folder: the run's folder, which need not exist.
    names: of the classes, known ones first.
    seed: of the answers.
    heap: whether the true classes of novel images are unknown.
    **fields: of `report.json`.

  Returns:
    The report.
  """
  folder.mkdir(parents=True, exist_ok=True)
  draws = np.random.default_rng(seed)
  count = len(names)
  label = np.repeat(np.arange(count), 12)
  right = draws.random(len(label)) < 0.8
  output = np.where(right, label, draws.integers(0, count, len(label)))
  confidence = draws.uniform(0.3, 1, len(label))
  if heap:
    label = np.where(label < NUM_KNOWN, label, -1)
  report = metrics.open_world_metrics(label, output, confidence, NUM_KNOWN)
  rows = MeasuredRows(np.arange(len(label)), label, output, confidence)
  report |= details.details(rows, NUM_KNOWN)
  for entry in report['per_class']:
    entry['name'] = names[entry['label']]
  report |= {
    'checkpoint_step': 7,
    'checkpoint': 'latest',
    'classified_by': 'head',
    'split': 'test',
    'heap': {'warnings': ['a warning of the heap']} if heap else None,
    'unseen': {
      'threshold': 1.5,
      'false_alarm_rate': 0.05,
      'none_of_these': 0.06,
      'threshold_set_on': 'unlabelled training images',
      'histogram': score_histogram(draws.normal(size=50), draws.normal(size=9)),
    },
    'robustness': [
      {'kind': 'jpeg', 'strength': 75, 'all_acc': 0.5, 'unchanged': 0.6}
    ],
    **fields,
  }
  (folder / 'report.json').write_text(json.dumps(report))
  config = {
    'seed': seed,
    'epochs': 2,
    'batch_size': 4,
    'method': {'name': 'cpl'},
    'data': {'path': names[0], 'num_known': NUM_KNOWN},
    'model': {'backbone': 'small', 'width': 1.0},
    'packed': {'records': 'abc', 'image_size': 32},
  }
  (folder / 'config.json').write_text(json.dumps(config))
  lines = [
    {'step': n, 'eval/known_acc': 0.5, 'eval/all_acc': 0.4} for n in (1, 2)
  ]
  (folder / 'metrics.jsonl').write_text(
    ''.join(json.dumps(line) + '\n' for line in lines)
  )
  with open(folder / 'attributions.csv', 'w', newline='') as file:
    table = csv.writer(file)
    table.writerow(['image', 'source', 'confidence', 'output', 'true_source'])
    for n, k in enumerate(label):
      known = output[n] < NUM_KNOWN
      name = names[output[n]] if known else f'novel-{output[n]}'
      cells = (f'{names[k]}/{n}.png', name, f'{confidence[n]:.4f}')
      table.writerow(
        [
          *map(spreadsheet, cells),
          output[n],
          spreadsheet(names[k]) if k >= 0 else '',
        ]
      )
  return report


# These elements have no end.
VOID = {'meta', 'img', 'link', 'br', 'input'}


class Reader(html.parser.HTMLParser):
  """Collects the tags, attributes and text of a page, and checks nesting."""

  def __init__(self):
    super().__init__(convert_charrefs=True)
    self.tags, self.attributes, self.open = [], [], []
    self.text = ''

  def handle_starttag(self, tag, attrs):
    self.tags.append(tag)
    self.attributes += attrs
    if tag not in VOID:
      self.open.append(tag)

  def handle_startendtag(self, tag, attrs):
    self.tags.append(tag)
    self.attributes += attrs

  def handle_endtag(self, tag):
    assert self.open.pop() == tag

  def handle_data(self, data):
    self.text += data


def keep_images(run):
  """Writes the kept images and the map of a run, which has no packed data."""
  verdicts = run.verdicts
  rows = np.unique(
    [
      verdicts.row[place]
      for kinds in chosen_of_clusters(verdicts).values()
      for kind in kinds
      for place in kind
    ]
  )
  outputs = np.unique(verdicts.output)
  draws = np.random.default_rng(0)
  content = {
    'row': rows,
    'image': draws.integers(0, 256, (len(rows), 16, 16, 3), np.uint8),
    'output': outputs,
    'spectrum': draws.normal(size=(len(outputs), WINDOW, WINDOW)),
    'digest': np.array(run.digest),
  }
  GALLERY.write(epath.Path(run.workdir), 7, content)
  place = draws.normal(size=(len(verdicts), 2))
  found = FeatureMap(place, np.arange(len(verdicts)), 'as drawn')
  write_map(epath.Path(run.workdir), 7, found)
