"""What a page says about the heap of a discovery: numbers and names."""

import collections
import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from etils import epath

from owdfa_jax.discovery.num_sources import too_few_images
from owdfa_jax.evaluation.shared_names import clusters_of_name
from owdfa_jax.page.content import ShownCluster, ShownImage
from owdfa_jax.page.heap_answers import HeapAnswers
from owdfa_jax.page.heap_pictures import chosen_of_heap
from owdfa_jax.page.run_files import RunFiles
from owdfa_jax.training.run_data import recorded_num_outputs


@dataclasses.dataclass(frozen=True)
class HeapCluster:
  """What a page says about one name of the heap's images.

  Attributes:
    output: the first output of the name, of those that test images got if
      there is one.
    name: the name.
    clusters: the clusters that the user gave the name to, such as `novel-3`.
    known: whether it is a known class.
    count: how many images got it.
    share: their share of the images that got a name.
    confidence: their mean confidence.
    parts: how many images each part of a split cluster has, by its name.
    typical: its images of the highest confidence; `row` is the place among
      the heap's images.
    doubtful: those of the lowest.
  """

  output: int
  name: str
  clusters: list[str]
  known: bool
  count: int
  share: float
  confidence: float
  parts: dict[str, int]
  typical: list[ShownImage]
  doubtful: list[ShownImage]


def heap_clusters(
  run: RunFiles, shown: list[ShownCluster]
) -> list[HeapCluster]:
  """Returns the names that images of the heap got: found ones first, by size.

  Args:
    run: the files of a run with a heap.
    shown: the names that test images got.
  """
  heap = run.heap
  assert heap is not None
  of_name = {cluster.name: cluster.output for cluster in shown}
  found = []
  for output, kinds in chosen_of_heap(heap).items():
    name, members = heap.name[output], heap.called == output
    typical, doubtful = ([_shown(heap, x) for x in kind] for kind in kinds)
    found.append(
      HeapCluster(
        output=of_name.get(name, output),
        name=name,
        clusters=clusters_of_name(name, run.given),
        known=output < run.num_known,
        count=int(members.sum()),
        share=float(members.mean()),
        confidence=float(heap.confidence[members].mean()),
        parts=_parts(heap, members),
        typical=typical,
        doubtful=doubtful,
      )
    )
  return sorted(found, key=lambda x: (x.known, -x.count))


def heap_context(
  run: RunFiles,
  shown: list[ShownCluster],
  pictures: Mapping[int, np.ndarray],
) -> dict[str, Any] | None:
  """Returns what the template shows of the heap; None for a run without one.

  Args:
    run: the files of the run.
    shown: the names that test images got.
    pictures: by the place of an image among those of the heap.
  """
  heap = run.heap
  if heap is None:
    return None
  clusters = heap_clusters(run, shown)
  of_tests = {cluster.name for cluster in shown}
  num_images = len(heap) + heap.num_none
  outputs = recorded_num_outputs(epath.Path(run.workdir)) or 0
  num_found = sum(not x.known for x in clusters)
  return {
    'num_images': num_images,
    'changed': heap.changed,
    'step': heap.step,
    'doubt': too_few_images(
      num_images, max(num_found, outputs - run.num_known)
    ),
    'num_named': len(heap),
    'num_found': num_found,
    'num_inconclusive': heap.num_inconclusive,
    'num_none': heap.num_none,
    'num_unreadable': heap.num_unreadable,
    'clusters': clusters,
    'of_name': {cluster.name: cluster for cluster in clusters},
    'only_here': [x for x in clusters if x.name not in of_tests],
    'has_pictures': bool(pictures),
  }


def _parts(heap: HeapAnswers, members: np.ndarray) -> dict[str, int]:
  """Returns how many of the members are of each part; {} without parts."""
  found = [heap.part[place] for place in np.flatnonzero(members)]
  return dict(sorted(collections.Counter(filter(None, found)).items()))


def _shown(heap: HeapAnswers, place: int) -> ShownImage:
  return ShownImage(
    row=place,
    path=heap.image[place],
    source='',
    confidence=float(heap.confidence[place]),
    is_right=None,
  )
