"""Tests of connections to a pod that are not of its processes."""

import contextlib
import socket
import time

import pytest

from helpers.pod_processes import Pod
from owdfa_jax.pods.hub import Hub

WORDS = {
  'number': b'1\n',
  'null': b'null\n',
  'list': b'[]\n',
  'list after an object': b'{}\n[]\n',
  'nested': b'[' * 100_000 + b'\n',
  'no token': b'{"process": 1}\n',
  'bytes': b'\xff\xfe\x00\n',
  'endless': b'x' * 300_000,
}


@contextlib.contextmanager
def strangers(timeout, number=1):
  """Yields process 0 of 1, and connections to it."""
  listener = socket.create_server(('localhost', 0))
  hub = Hub(listener, 'token', 1, timeout)
  with contextlib.ExitStack() as stack:
    yield (
      hub,
      [
        stack.enter_context(socket.create_connection(listener.getsockname()))
        for _ in range(number)
      ],
    )
  hub.close()


def is_turned_away(hub, stranger):
  """Returns whether the connection of a stranger has ended."""
  stranger.settimeout(0.02)
  for _ in range(100):
    assert hub.step() is None
    with contextlib.suppress(TimeoutError):
      try:
        return not stranger.recv(1)
      except ConnectionResetError:
        return True
  return False


@pytest.mark.parametrize('words', WORDS.values(), ids=WORDS)
def test_words_of_strangers(words):
  with strangers(30) as (hub, (stranger,)):
    stranger.setblocking(False)
    while words:
      with contextlib.suppress(BlockingIOError):
        words = words[stranger.send(words) :]
      hub.step()
    assert is_turned_away(hub, stranger)
    assert hub.complete


def test_silent_stranger_is_turned_away_after_the_timeout():
  with strangers(0.5) as (hub, (stranger,)):
    began = time.monotonic()
    assert is_turned_away(hub, stranger)
    assert time.monotonic() - began >= 0.5


def test_silent_strangers_do_not_hold_up_the_end():
  with strangers(30, number=3) as (hub, _):
    for _ in range(10):
      hub.step()
    began = time.monotonic()
    hub.close()
    assert time.monotonic() - began < 2


def test_port_of_other_processes_is_closed(tmp_path):
  """Only process 0 is connected to."""
  joins = 'pod.joined(1, 2, "localhost", port, "token")'
  pod = Pod(tmp_path, 'hang()', f'early:tell("own", pod.port); {joins}; hang()')
  pod.all_work()
  port = int((tmp_path / 'own').read_text())
  with pytest.raises(ConnectionRefusedError):
    socket.create_connection(('localhost', port)).close()
  pod.kill(0)
  pod.end()


def test_strangers_are_turned_away(tmp_path):
  pod = Pod(tmp_path, 'time.sleep(1.5)', 'time.sleep(1.5)')
  pod.child(1)
  port = int((tmp_path / 'port').read_text())
  for words in (b'GET / HTTP/1.1\r\n\r\n', b'{"token": "?", "process": 1}\n'):
    with socket.create_connection(('localhost', port)) as connection:
      connection.sendall(words)
      connection.settimeout(5)
      assert connection.recv(1) == b''
  assert pod.end() == ([0, 0], ['', ''])
