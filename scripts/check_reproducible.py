"""Builds the distribution three times, as unlike as can be, and sees that the bytes are the same.

Twice from copies of the checkout in other folders, with other rights, times and order of files; and once from the
source distribution, which is all that a user has to compare a wheel with.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
HATCHLING = Path(sys.executable).with_name("hatchling")


def main() -> int:
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    files = sorted({name for name in names if name and (ROOT / name).is_file()})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy(files, folder / "one", mode=0o644, modified=1_000_000_000)
        first = build(folder / "one", umask=0o022, TZ="UTC", PYTHONHASHSEED="1")
        copy(reversed(files), folder / "another" / "deeper", mode=0o600, modified=1_700_000_001)
        second = build(folder / "another" / "deeper", umask=0o077, TZ="Asia/Shanghai", PYTHONHASHSEED="2")
        (sdist,) = (path for path in first if path.name.endswith(".tar.gz"))
        with tarfile.open(sdist) as archive:
            archive.extractall(folder / "unpacked", filter="data")
        third = build(folder / "unpacked" / sdist.name.removesuffix(".tar.gz"), umask=0o027, TZ="UTC")
        for one, *others in zip(first, second, third, strict=True):
            content = one.read_bytes()
            print(f"{hashlib.sha256(content).hexdigest()}  {one.name}")
            if any(other.read_bytes() != content for other in others):
                print(f"{one.name} is not the same: {', '.join(differing(one, *others)) or 'in its wrapping'}")
                return 1
    print("The same from two copies of the checkout and from the source distribution.")
    return 0


def copy(names: Iterable[str], folder: Path, mode: int, modified: int) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, path)
        path.chmod(mode | 0o100 if os.access(ROOT / name, os.X_OK) else mode)
        os.utime(path, (modified, modified))


def build(folder: Path, umask: int, **environment: str) -> list[Path]:
    subprocess.run(
        [HATCHLING, "build"], cwd=folder, umask=umask, env=os.environ | environment, check=True, capture_output=True
    )
    return sorted((folder / "dist").iterdir())


def differing(*archives: Path) -> list[str]:
    """Return the names of the files that are not in all archives alike."""
    seen: dict[str, set[object]] = {}
    for path in archives:
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                rows = [(one.filename, one.date_time, one.external_attr, one.CRC) for one in wheel.infolist()]
        else:
            with tarfile.open(path) as sdist:
                rows = [(one.name, one.mtime, one.mode, one.size) for one in sdist]
        for row in rows:
            seen.setdefault(row[0], set()).add(row)
    return sorted(name for name, looks in seen.items() if len(looks) > 1)


if __name__ == "__main__":
    sys.exit(main())
