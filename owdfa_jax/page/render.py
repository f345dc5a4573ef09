"""Writes a page from its content with templates that escape everything."""

import base64
import pathlib
from collections.abc import Mapping
from typing import Any

import cv2
import jinja2
import markupsafe
import numpy as np

from owdfa_jax.page.content import clean_name

_TEMPLATES = pathlib.Path(__file__).parent / 'templates'
_QUALITY = 88


def render_page(content: Mapping[str, Any]) -> str:
  """Returns the page as HTML.

  Args:
    content: what `templates/report.html` names. Only pictures that
      `svg.inline_svg` made are markup; all other text is escaped.
  """
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  environment.filters['clean'] = clean_name
  style = (_TEMPLATES / 'style.css').read_text()
  page = environment.get_template('report.html').render(
    content, style=markupsafe.Markup(style)
  )
  return page.lstrip()


def jpeg_uri(image: np.ndarray) -> str:
  """Returns an image as a data URI that a page shows without a network.

  Args:
    image: uint8 [S, S, 3].
  """
  _, data = cv2.imencode(
    '.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
  )
  text = base64.b64encode(data.tobytes()).decode()
  return f'data:image/jpeg;base64,{text}'


def png_bytes(image: np.ndarray) -> bytes:
  """Returns an image as a PNG file.

  Args:
    image: uint8 [H, W, 3].
  """
  return cv2.imencode('.png', image[..., ::-1])[1].tobytes()


def png_uri(image: np.ndarray) -> str:
  """Returns an image as a data URI without loss.

  Args:
    image: uint8 [H, W, 3].
  """
  data = base64.b64encode(png_bytes(image)).decode()
  return f'data:image/png;base64,{data}'


def fingerprint_images(spectrum: np.ndarray) -> np.ndarray:
  """Returns spectra as colours that people with any colour vision can read.

  Args:
    spectrum: float [K, W, W], about 0.

  Returns:
    uint8 [K, W, W, 3].
  """
  from matplotlib import colormaps

  # The level of all frequencies together would hide their differences.
  shape = spectrum - spectrum.mean((1, 2), keepdims=True)
  limit = np.quantile(np.abs(shape), 0.99, axis=(1, 2), keepdims=True)
  scaled = np.clip(shape / np.maximum(limit, 1e-6), -1, 1) / 2 + 0.5
  colours = 255 * np.asarray(colormaps['cividis'](scaled))[..., :3]
  return colours.astype(np.uint8)
