"""One page of the API reference for each package of ours, so that a new module is documented by being there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]

OWN_PAGES = {"segfeat.store.format"}
"""Modules that a page of the reference is about."""


def _packages() -> dict[str, list[str]]:
    """Package -> the modules to show on its page, itself first."""
    found: dict[str, list[str]] = {}
    for top in ("segfeat", "segmodel"):
        for init in sorted((ROOT / top).rglob("__init__.py")):
            package = ".".join(init.parent.relative_to(ROOT).parts)
            modules = sorted(p.stem for p in init.parent.glob("*.py") if p.stem != "__init__")
            names = [package, *(f"{package}.{m}" for m in modules)]
            found[package] = [name for name in names if name not in OWN_PAGES]
    return found


def on_config(config: Any) -> Any:
    """Put the pages into the navigation."""
    pages = [{package: f"reference/api/{package}.md"} for package in _packages()]
    reference = next(section["Reference"] for section in config.nav if "Reference" in section)
    if not any("API" in entry for entry in reference):
        reference.append({"API": pages})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Write the pages."""
    for package, modules in _packages().items():
        blocks = "\n\n".join(
            f"::: {m}" + ("\n    options:\n      members: false" if m == package else "") for m in modules
        )
        files.append(File.generated(config, f"reference/api/{package}.md", content=f"# {package}\n\n{blocks}\n"))
    return files
