"""Files that exist whole or not at all, even after a power cut."""

import os
import secrets
from pathlib import Path

_OWNER_ONLY = 0o600


def write_durably(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read: temporary file, sync, rename, sync of the folder.

    Raises: OSError; the old file is then unchanged.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write_synced(temporary, content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the entries of a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_synced(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - the descriptor has the mode of the file
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
