"""Where shared things are kept: a Hugging Face repository, or a folder that looks like one."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Kind = Literal["model", "dataset"]
"""What a repository holds, in the hub's words: runs are models, stores are datasets."""

KINDS: tuple[Kind, ...] = ("model", "dataset")

_REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


class Place(Protocol):
    """Takes a folder of files, and gives it back."""

    @property
    def address(self) -> str:
        """What one types to name it."""

    def put(self, folder: Path, kind: Kind, private: bool) -> str:
        """Store the files of ``folder`` over those there; the place in words."""

    def get(self, folder: Path, kind: Kind) -> None:
        """Write the files there into the empty ``folder``."""


@dataclass(frozen=True)
class Folder:
    """A folder of this machine, or of a shared disk."""

    path: Path

    @property
    def address(self) -> str:
        text = str(self.path)
        return text if text.startswith((".", "/")) else f"./{text}"

    def put(self, folder: Path, kind: Kind, private: bool) -> str:
        shutil.copytree(folder, self.path, dirs_exist_ok=True)
        return str(self.path)

    def get(self, folder: Path, kind: Kind) -> None:
        if not self.path.is_dir():
            raise ValueError(f"{self.path}: no such folder")
        shutil.copytree(self.path, folder, dirs_exist_ok=True)


@dataclass(frozen=True)
class Repository:
    """A repository of the Hugging Face hub; who you are comes from ``hf auth login`` or ``HF_TOKEN``."""

    name: str

    @property
    def address(self) -> str:
        return self.name

    def put(self, folder: Path, kind: Kind, private: bool) -> str:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        hub = HfApi()
        try:
            hub.create_repo(self.name, repo_type=kind, private=private, exist_ok=True)
            hub.upload_folder(repo_id=self.name, repo_type=kind, folder_path=folder)
        except (HfHubHTTPError, OSError) as error:
            raise ValueError(f"{self.name}: not pushed: {error}") from error
        return f"{self.name} ({kind})"

    def get(self, folder: Path, kind: Kind) -> None:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        try:
            HfApi().snapshot_download(self.name, repo_type=kind, local_dir=folder)
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
            raise ValueError(f"{self.name}: cannot be pulled as a {kind}: {error}") from error
        # The client's own notes on what it has downloaded.
        shutil.rmtree(folder / ".cache", ignore_errors=True)


def place(repo: str) -> Place:
    """The place behind ``owner/name`` or a folder, which begins with ``.``, ``/`` or ``~``.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if repo.startswith((".", "/", "~")):
        return Folder(Path(repo).expanduser())
    if _REPOSITORY.fullmatch(repo):
        return Repository(repo)
    raise ValueError(f"{repo!r} is no repository (owner/name), and no folder (./name, /name or ~/name)")
