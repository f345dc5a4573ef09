"""One class of a benchmark, and the names of the datasets of OW-DFA."""

import dataclasses

# The datasets' names as the released CSVs spell them.
FF = 'FaceForensics++'
CELEB = 'CelebDF'
NET = 'ForgeryNet'
DFFD = 'DFFD'
NIR = 'ForgeryNIR+'
DF3 = 'DF^3'


@dataclasses.dataclass(frozen=True)
class BenchmarkClass:
  """A class of a benchmark: what made its images, and their dataset.

  Attributes:
    method: what made the images, as in the CSV's column `method`; 'Real' for
      genuine faces.
    forgery_type: a key of `forgery_types.FORGERY_LABELS`.
    dataset: the dataset that the images come from.
    counts: number of images, (labelled, unlabelled), before the split.
    folder: where the dataset keeps the class. ForgeryNet: the class's number
      in the list file. OWDFA-40: the number that the folder's name starts with.
    code: the forgery's home page, or the papers' code of the class (OWDFA-40).
    guess: which part of this entry no public document confirms; '' if none.
  """

  method: str
  forgery_type: str
  dataset: str
  counts: tuple[int, int]
  folder: str
  code: str = ''
  guess: str = ''

  @property
  def known(self) -> bool:
    """Whether some of its images are labelled."""
    return self.counts[0] > 0

  @property
  def name(self) -> str:
    """Method and dataset; neither is unique by itself."""
    return f'{self.method}-{self.dataset}'
