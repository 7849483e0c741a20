"""Wheels of what is installed here, for a machine that has no package index."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_NOT_SHIPPED = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")  # what an installation adds


def wheels_for(folder: Path, project: str, *others: str) -> None:
    """Put wheels of all that the project needs into the folder, and of the others."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in {*_needed(project, (), set()), *others}:
        _repack(distribution(package), folder)


def _needed(name: str, extras: Iterable[str], seen: set[tuple[str, str]]) -> Iterator[str]:
    """Yield what a package with these extras needs."""
    for text in distribution(name).requires or ():
        wanted = Requirement(text)
        for extra in ("", *extras):
            if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
                continue
            package, what = canonicalize_name(wanted.name), ",".join(sorted(wanted.extras))
            if (package, what) not in seen:
                seen.add((package, what))
                yield package
                yield from _needed(package, wanted.extras, seen)


def _repack(package: Distribution, folder: Path) -> None:
    info = f"{package.name}-{package.version}.dist-info"
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    path = (
        folder / f"{canonicalize_name(package.name).replace('-', '_')}-{package.version}-{_tags(package)}.whl"
    )
    with zipfile.ZipFile(path, "w") as wheel:
        for file in package.files or ():
            if file.parts[0] == ".." or "__pycache__" in file.parts:  # scripts and such are made anew
                continue
            if file.parts[0].endswith(".dist-info"):
                info = file.parts[0]
                if file.name in _NOT_SHIPPED:
                    continue
            wheel.write(file.locate(), str(file))
            rows.writerow((str(file), "", ""))
        rows.writerow((f"{info}/RECORD", "", ""))
        wheel.writestr(f"{info}/RECORD", record.getvalue())


def _tags(package: Distribution) -> str:
    """The end of the wheel's name, such as py2.py3-none-any."""
    lines = (package.read_text("WHEEL") or "").splitlines()
    tags = [line.partition(": ")[2].split("-") for line in lines if line.startswith("Tag: ")]
    return "-".join(".".join(sorted(set(part))) for part in zip(*tags, strict=True))
