"""Small packed datasets whose images encode their row and label."""

import dataclasses

import cv2
import numpy as np

from input_pipeline import features, tfrecord
from input_pipeline.dataset import PackedDataset, Split
from input_pipeline.meta import ClassInfo

SIZE = 8
NAMES = ('a', 'b', 'c', 'd', 'e')
NUM_KNOWN = 3


def make_split(path, label, tag):
  """Writes records whose images are flat: red = row, green = label + 1."""
  rows = []
  with open(path, 'wb') as file:
    for row, (y, t) in enumerate(zip(label, tag, strict=True)):
      image = np.full((SIZE, SIZE, 3), (9, y + 1, row), np.uint8)  # BGR
      record = features.Record(
        image=cv2.imencode('.png', image)[1].tobytes(),
        label=int(y),
        tag=int(t),
        id=f'{row}.png',
        method='m',
        forgery_type='Unknown',
        image_source='s',
        sha256='',
      )
      data = features.encode_record(record)
      rows.append((0, tfrecord.write_record(file, data), len(data)))
  shard, offset, length = np.array(rows).T
  return Split(
    source=tfrecord.TFRecordSource([path], shard, offset, length),
    label=np.asarray(label, np.int32),
    tag=np.asarray(tag, np.int8),
  )


def make_dataset(folder, known_sizes=(9, 14, 5), unlabelled=30, test=21):
  """Returns an open dataset of 3 known and 2 novel classes."""
  draws = np.random.RandomState(0)
  label = np.repeat(np.arange(NUM_KNOWN), known_sizes)
  tag = np.append(np.ones(len(label)), np.full(unlabelled, 2))
  label = np.append(label, draws.randint(0, len(NAMES), unlabelled))
  order = draws.permutation(len(label))
  train = make_split(folder / 'train', label[order], tag[order])
  label = draws.randint(-1, len(NAMES), test)
  return PackedDataset(
    path=folder,
    description={},
    classes=tuple(
      ClassInfo(i, name, name, 'Unknown', 'folder', i < NUM_KNOWN, 0)
      for i, name in enumerate(NAMES)
    ),
    num_known=NUM_KNOWN,
    novel_count_known=True,
    image_size=SIZE,
    train=train,
    test=make_split(folder / 'test', label, np.full(test, 2)),
  )


def with_train(dataset, **changes):
  """Returns the dataset with fields of its training split replaced."""
  return dataclasses.replace(
    dataset, train=dataclasses.replace(dataset.train, **changes)
  )
