"""Files in a zip, read where they are: nothing is extracted, so that no member can land outside of any folder."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path

from src.data.decoding import BadImageError
from src.data.source import FileSource, is_clutter
from src.errors import DataError

# Photographs hardly shrink in a zip. One that would grow beyond these bounds was made to fill memory or disk.
_MAX_EXPANSION = 100
_ALWAYS_ALLOWED_BYTES = 2**25
_MAX_MEMBER_BYTES = 2**28


class ZipSource(FileSource):
    """Files in a zip whose every member was found harmless before any of them is read."""

    def __init__(self, path: Path) -> None:
        """Opens a zip and checks its table of contents.

        Raises:
            DataError: The file is no whole zip, or a member has an unsafe name, is a link, encrypted or absurdly big.
        """
        self.location = str(path)
        self._zip = _open_zip(path)
        try:
            members = self._zip.infolist()
            _check_members(members, path)
            modified = path.stat().st_mtime_ns
        except BaseException:
            self._zip.close()
            raise
        members = [member for member in members if not any(map(is_clutter, member.filename.split("/")))]
        self.stamps = {
            member.filename: f"{member.file_size} {member.CRC:08x} {modified}"
            for member in members
            if not member.is_dir()
        }
        folders = {""} | {member.filename for member in members if member.is_dir()}
        for name in [*self.stamps, *folders]:
            parts = name.split("/")[:-1]
            folders.update("/".join(parts[:count]) + "/" for count in range(1, len(parts) + 1))
        self.folders = frozenset(folders)

    def read(self, name: str) -> bytes:
        """Returns the content of a member, at most as long as announced; see `FileSource.read`."""
        try:
            return self._zip.read(name)  # Checks the member's CRC; safe to call from several threads.
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise BadImageError(f"it is damaged in the zip ({error})") from error
        except OSError as error:
            raise DataError(f"The zip {self.location} cannot be read: {error.strerror or error}.") from error

    def find_damage(self) -> str | None:
        """Reads every member and returns the name of the first one whose CRC does not fit, or None."""
        for member in self._zip.infolist():
            try:
                with self._zip.open(member) as file:
                    while file.read(2**20):
                        pass
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
                return member.filename
        return None

    def close(self) -> None:
        """Closes the zip."""
        self._zip.close()


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        with path.open("rb") as file:
            start = file.read(16)
        raise DataError(
            f"{path} is not a whole zip: {error}. It has {path.stat().st_size:,} bytes and begins with {start!r}. "
            "Remove it, then copy or download it again."
        ) from error
    except OSError as error:
        raise DataError(f"The zip {path} cannot be read: {error.strerror or error}.") from error


def _check_members(members: list[zipfile.ZipInfo], path: Path) -> None:
    total = 0
    for member in members:
        problem = _find_problem(member)
        if problem:
            raise DataError(
                f"The zip {path} is refused: its member {member.orig_filename!r} {problem}. Nothing of it was read. "
                "Use a copy from a source that you trust."
            )
        total += member.file_size
    bound = max(_ALWAYS_ALLOWED_BYTES, _MAX_EXPANSION * path.stat().st_size)
    if total > bound:
        raise DataError(
            f"The zip {path} is refused: its {path.stat().st_size:,} bytes would expand to {total:,}, more than the "
            f"{bound:,} that a zip of images of this size can hold. Nothing of it was read."
        )


def _find_problem(member: zipfile.ZipInfo) -> str | None:
    # The name as stored: zipfile cuts `filename` at a NUL character.
    name = member.orig_filename.replace("\\", "/")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if "\0" in name:
        return "has a NUL character in its name"
    if name.startswith("/") or name[1:2] == ":":
        return "has an absolute name"
    if ".." in name.split("/"):
        return "leads out of the folder with '..'"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link" if kind == stat.S_IFLNK else "is no file"
    if member.flag_bits & 0x1:
        return "is encrypted"
    if member.file_size > _MAX_MEMBER_BYTES:
        return f"would expand to {member.file_size:,} bytes"
    return None
