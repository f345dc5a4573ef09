"""Names the kind of a file that does not hold weights we can read."""

# The first bytes of files, what they are, and what to do.
_STARTS: tuple[tuple[bytes, str], ...] = (
  (b'version https://git-lfs', 'a pointer of Git LFS: run `git lfs pull`'),
  (b'<!', 'a page of the web: download the file itself'),
  (b'<html', 'a page of the web: download the file itself'),
  (
    b'\x89HDF',
    'an HDF5 file, such as Keras writes: convert it to .safetensors',
  ),
  (b'GGUF', 'a GGUF file of a language model'),
  (b'\x93NUMPY', 'one array: save arrays by their names with numpy.savez'),
  (b'\x1f\x8b', 'a file packed with gzip: unpack it'),
  (b'BZh', 'a file packed with bzip2: unpack it'),
  (b'\xfd7zXZ', 'a file packed with xz: unpack it'),
  (b'\x28\xb5\x2f\xfd', 'a file packed with zstd: unpack it'),
  (b'7z\xbc\xaf', 'a file packed with 7-Zip: unpack it'),
  (b'Rar!', 'a file packed with RAR: unpack it'),
  (b'\x89PNG', 'an image'),
  (b'\xff\xd8\xff', 'an image'),
)
_TENSORFLOW = (
  'a checkpoint of TensorFlow: convert it to .safetensors with PyTorch'
)
# The last bytes of a table of TensorFlow (`.index`).
_TABLE_END = bytes.fromhex('57fb808b247547db')
_TAR_MARK = slice(257, 262)


def describe_file(data: bytes) -> str:
  """Returns what a file is and what to do about it; '' if unknown.

  Args:
    data: the content of the file.
  """
  if not data:
    return 'it is empty: download or copy it again'
  if not any(data[:4096]):
    return 'it begins with zeros: download or copy it again'
  for start, kind in _STARTS:
    if data[:200].lstrip(b'\xef\xbb\xbf \r\n').startswith(start):
      return f'it is {kind}'
  if data[_TAR_MARK] == b'ustar':
    return (
      'it is a tar file, perhaps of PyTorch before 0.1.10: unpack it, or load '
      'and save it with PyTorch'
    )
  if data[4:8] == b'TFL3':
    return 'it is a network of TensorFlow Lite'
  if data.endswith(_TABLE_END):
    return f'it is {_TENSORFLOW}'
  # Protocol buffers: ONNX has its version first, then its producer.
  if data[:1] == b'\x08' and data[2:3] == b'\x12':
    return (
      'it is a network of ONNX or TensorFlow: save the state dict with PyTorch'
    )
  if data[:1] == b'\x80' and data[1:2] in (b'\x02', b'\x03', b'\x04', b'\x05'):
    return (
      'it is a pickle that torch.save has not written: save a state dict with '
      'torch.save, or arrays by their names with numpy.savez'
    )
  return ''


def describe_archive(names: list[str]) -> str:
  """Returns what a zip archive is that has neither arrays nor a state dict.

  Args:
    names: the names of its entries.
  """
  if any(name.endswith('.h5') for name in names):
    return 'a Keras archive: convert its weights to .safetensors'
  shown = ', '.join(names[:5]) + (', ...' if len(names) > 5 else '')
  return f'a zip archive of {shown or "nothing"}'
