"""The texts of a data card: what people write on a packed dataset.

The images do not tell licences and the like, so a TOML file gives them:

  description = '...'
  citation = '...'
  licence = '...'
  homepage = '...'
  [sources.NAME]  # an image_source of the meta CSV
  title = '...'
  licence = '...'
  homepage = '...'
"""

import dataclasses
import tomllib
from typing import Any

from input_pipeline import files
from input_pipeline.errors import UserError
from input_pipeline.escape import quoted, shortened

_MOST_DOTS = 500  # in a line

_ASK = 'unknown; the terms of the source apply'
_FORM = 'available on request; the terms of the source apply'


@dataclasses.dataclass(frozen=True)
class SourceInfo:
  """A dataset that images come from.

  Attributes:
    title: its name and publication.
    licence: its name or a sentence.
    homepage: a URL.
  """

  title: str
  licence: str = _ASK
  homepage: str = ''


@dataclasses.dataclass(frozen=True)
class Card:
  """Texts on a packed dataset.

  Attributes:
    description: one or more sentences.
    citation: a BibTeX entry.
    licence: the licence of the collection, its name or a sentence.
    homepage: a URL.
    sources: the sources by the `image_source` of the meta CSV.
  """

  description: str = 'Face images for open-world deepfake attribution.'
  citation: str = ''
  licence: str = ''
  homepage: str = ''
  sources: dict[str, SourceInfo] = dataclasses.field(default_factory=dict)


# By the image_source in lower case, letters and digits only. The terms of a
# source may change, so the card names the source and does not quote them.
_FACE_FORENSICS = SourceInfo(
  'FaceForensics++ (Rössler et al., ICCV 2019)',
  _FORM,
  'https://github.com/ondyari/FaceForensics',
)
_CELEB_DF = SourceInfo(
  'Celeb-DF v2 (Li et al., CVPR 2020)',
  _FORM,
  'https://github.com/yuezunli/celeb-deepfakeforensics',
)
_FORGERY_NIR = SourceInfo('ForgeryNIR (Wang et al., TIFS 2022)', _FORM)
SOURCES = {
  'ff': _FACE_FORENSICS,
  'ffpp': _FACE_FORENSICS,
  'faceforensics': _FACE_FORENSICS,
  'celebdf': _CELEB_DF,
  'celebdfv2': _CELEB_DF,
  'forgerynet': SourceInfo(
    'ForgeryNet (He et al., CVPR 2021)',
    _FORM,
    'https://github.com/yinanhe/forgerynet',
  ),
  'dffd': SourceInfo(
    'DFFD, Diverse Fake Face Dataset (Dang et al., CVPR 2020)', _FORM
  ),
  'forgerynir': _FORGERY_NIR,
  'df40': SourceInfo(
    'DF40 (Yan et al., NeurIPS 2024)',
    _ASK,
    'https://github.com/YZY-stack/DF40',
  ),
  'df3': SourceInfo('DF^3 (Ju et al., arXiv 2211.08615)', _FORM),
  'owdfa40': SourceInfo(
    'OWDFA-40 (Zheng et al., AAAI 2026)',
    _ASK,
    'https://huggingface.co/datasets/hyzheng/OWDFA40-Benchmark',
  ),
}


def read_card(path: str | None) -> Card:
  """Reads the texts of a data card.

  Args:
    path: a TOML file; None: the default texts.

  Raises:
    UserError: the file cannot be read, or has fields that a card lacks.
  """
  if path is None:
    return Card()
  try:
    fields = _parse(files.read_text(path))
  except OSError as error:
    raise UserError(
      f'cannot read the card {path}: {error.strerror}; correct --card'
    ) from error
  except (ValueError, RecursionError) as error:
    raise UserError(
      f'bad card: {path}: {shortened(str(error))}; write it as TOML, in UTF-8'
    ) from error
  sources = fields.pop('sources', {})
  if not isinstance(sources, dict):
    raise UserError(
      f'bad card: {path}: sources={quoted(sources)} is not a table; write each '
      'source as [sources.NAME]'
    )
  return _checked(
    path,
    Card,
    fields,
    sources={
      name: _checked(path, SourceInfo, {'title': name} | source)
      if isinstance(source, dict)
      else _checked(path, SourceInfo, {name: source})
      for name, source in sources.items()
    },
  )


def _parse(text: str) -> dict[str, Any]:
  """Parses TOML; raises `ValueError` or `RecursionError`."""
  lines = text.replace('\r\n', '\n').split('\n')
  # The time to parse a key grows with the square of its dots.
  for number, line in enumerate(lines, 1):
    if line.count('.') > _MOST_DOTS:
      raise ValueError(f'over {_MOST_DOTS} dots (at line {number})')
  return tomllib.loads('\n'.join(lines))


def _checked(path: str, kind: Any, fields: dict, **more: Any) -> Any:
  """Makes a `kind` of `fields`, which must be texts that it knows."""
  known = [f.name for f in dataclasses.fields(kind) if f.name not in more]
  for name, value in fields.items():
    if name not in known or not isinstance(value, str):
      raise UserError(
        f'bad card: {path}: {shortened(name)}={quoted(value)}; the fields '
        f'are {", ".join(known)}, each a text'
      )
  return kind(**fields, **more)
