"""A relay between the driver and a server of MongoDB's protocol that loses or changes answers, as networks may do."""

import re
import socket
import struct
from contextlib import suppress
from threading import Lock, Thread


class Relay:
    """Listens on a port of its own; `uri` leads through it."""

    outlives_the_tests = True

    def __init__(self, uri: str, **renamed: str) -> None:
        """Begin. renamed: words of answers that become others of the same length."""
        self._target = re.search(r"//([^/:]+):(\d+)", uri)
        self._renamed = [(old.encode(), new.encode()) for old, new in renamed.items()]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.uri = uri.replace(self._target[0], f"//127.0.0.1:{self._listener.getsockname()[1]}")
        self.lost = 0
        self._losing, self._left, self._closing, self._lock = b"", 0, False, Lock()
        self._sockets: list[socket.socket] = []
        Thread(target=self._accept, daemon=True).start()

    def lose_answers_to(self, command: bytes, times: int, *, then_close: bool = False) -> None:
        """Pass a command on, and cut the connection instead of passing its answer back."""
        self._losing, self._left, self._closing = command, times, then_close

    def close(self) -> None:
        """Stop listening and cut all connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection((self._target[1], int(self._target[2]))) as server:
            self._sockets += [client, server]
            while (question := _message(client)) and (answer := self._passed(question, server)):
                client.sendall(answer)

    def _passed(self, question: bytes, server: socket.socket) -> bytes:
        server.sendall(question)
        answer = _message(server)
        with self._lock:
            if self._left and self._losing + b"\0" in question:
                self._left -= 1
                self.lost += 1
                if self._closing:
                    self.close()
                return b""
        for old, new in self._renamed:
            answer = answer.replace(old, new)
        return answer


def _message(source: socket.socket) -> bytes:
    """Return one whole message of the protocol; b"" when the connection has ended."""
    head = _exactly(source, 4)
    return head + _exactly(source, struct.unpack("<i", head)[0] - 4) if head else b""


def _exactly(source: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = source.recv(size - len(parts))
        if not part:
            return b""
        parts += part
    return parts
