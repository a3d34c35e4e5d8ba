from __future__ import annotations

import stat
import zipfile

import pytest

from src.data.dataset import open_dataset
from src.errors import DataError
from tests.data.image_files import pet_files, pets, write_zip


def zip_with(path, name, *, mode=0, content=b"x"):
    files = pet_files()
    write_zip(path, files)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        member = zipfile.ZipInfo(name)
        member.external_attr = mode << 16
        member.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(member, content)
    return path


@pytest.mark.parametrize(
    ("name", "mode", "problem"),
    [
        ("../evil.jpg", 0, "leads out of the folder"),
        ("cats_and_dogs_filtered/train/../../../evil.jpg", 0, "leads out of the folder"),
        ("..\\evil.jpg", 0, "leads out of the folder"),
        ("/tmp/evil.jpg", 0, "has an absolute name"),
        ("C:\\evil.jpg", 0, "has an absolute name"),
        ("cats_and_dogs_filtered/train/cats/evil.jpg", stat.S_IFLNK | 0o777, "is a link"),
        ("cats_and_dogs_filtered/train/cats/evil.jpg", stat.S_IFIFO | 0o666, "is no file"),
    ],
)
def test_a_zip_with_an_unsafe_member_is_refused_before_anything_is_read(cache, tmp_path, name, mode, problem):
    path = zip_with(tmp_path / "evil.zip", name, mode=mode)
    with pytest.raises(DataError, match=rf"is refused: its member .*evil.jpg' {problem}"):
        open_dataset(pets(path, cache))
    assert not cache.exists()
    assert not (tmp_path.parent / "evil.jpg").exists()


def test_a_zip_that_expands_absurdly_is_refused(cache, tmp_path):
    path = zip_with(tmp_path / "bomb.zip", "cats_and_dogs_filtered/train/cats/bomb.jpg", content=bytes(50_000_000))
    with pytest.raises(DataError, match=r"would expand to 50,0.*Nothing of it was read"):
        open_dataset(pets(path, cache))


def test_a_truncated_zip_is_refused_with_its_size(cache, pets_zip):
    content = pets_zip.read_bytes()
    pets_zip.write_bytes(content[:-300])
    with pytest.raises(DataError, match=rf"not a whole zip.*It has {len(content) - 300:,} bytes"):
        open_dataset(pets(pets_zip, cache))


def test_a_page_in_place_of_a_zip_is_shown(cache, tmp_path):
    (tmp_path / "pets.zip").write_text("<!DOCTYPE html><title>Log in</title>")
    with pytest.raises(DataError, match=r"not a whole zip.*begins with b'<!DOCTYPE html>"):
        open_dataset(pets(tmp_path / "pets.zip", cache))
