"""Programs in the languages of the official SDKs: how each is built, and how it is run.

A program is a folder of sources with a lock file. It is copied to `target/` and built there with the language's own tool, which fetches
what the lock file names; a folder that has not changed is not built again. Knows nothing of what the programs do.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "target"
LANGUAGES = ("python", "typescript", "go", "java", "rust")
NEEDS = {"typescript": ("node", "npm"), "go": ("go",), "java": ("mvn", "java"), "rust": ("cargo", "protoc")}
"""The programs that build and run each; Python is what runs this."""

MADE = {"node_modules", "lib", "target", "__pycache__"}
"""What a build leaves in a folder: no sources."""

SHARED_RUST = TARGET / "rust-sdk"
"""The Rust SDK is three hundred crates: built once for all programs."""


class NotBuilt(Exception):
    """A program could not be built; the text says with which command, and the end of what that printed."""


@dataclass(frozen=True)
class Program:
    """One program of one language: a folder of sources and where it is built."""

    language: str
    source: Path
    name: str
    """Of the program, the same in every language: `hello`."""

    @property
    def directory(self) -> Path:
        """Where it is built and run."""
        return TARGET / self.name / self.language

    @property
    def environment(self) -> dict[str, str]:
        """What it is built and run with."""
        return {**os.environ, "CARGO_TARGET_DIR": str(SHARED_RUST)} if self.language == "rust" else dict(os.environ)

    def build_commands(self) -> list[list[str]]:
        """In this order."""
        return {
            "python": [],
            "typescript": [["npm", "ci", "--silent", "--no-audit", "--no-fund"], ["npx", "tsc"]],
            "go": [["go", "build", "-o", self.name, "."]],
            "java": [["mvn", "-q", "-B", "compile", "dependency:copy-dependencies"]],
            "rust": [["cargo", "build", "--quiet", "--locked"]],
        }[self.language]

    def command(self, main: str) -> list[str]:
        """How it is run; `main` is its entry, where a language needs to be told."""
        return {
            "python": [sys.executable, f"{main}.py"],
            "typescript": ["node", f"lib/{main}.js"],
            "go": [f"./{self.name}"],
            "java": ["java", "-cp", "target/classes:target/dependency/*", f"{main}.{main.capitalize()}"],
            "rust": [str(SHARED_RUST / "debug" / main)],
        }[self.language]

    def missing(self) -> list[str]:
        """The programs that it needs and that are not here."""
        return [tool for tool in NEEDS.get(self.language, ()) if not shutil.which(tool)]

    def sources(self) -> list[Path]:
        """Everything in the folder that nobody made."""
        return sorted(file for file in self.source.rglob("*") if file.is_file() and not MADE & set(file.relative_to(self.source).parts[:-1]))

    def digest(self) -> str:
        """Of all sources."""
        digest = hashlib.sha256()
        for file in self.sources():
            digest.update(str(file.relative_to(self.source)).encode() + b"\0" + file.read_bytes() + b"\0")
        return digest.hexdigest()

    def build(self) -> float:
        """Copies and builds it if it has changed; gives back how many seconds that took."""
        if self.missing():
            raise NotBuilt(f"{self.language}: {', '.join(self.missing())} not found")
        began, stamp, digest = time.monotonic(), self.directory / "built", self.digest()
        if stamp.exists() and stamp.read_text() == digest:
            return 0.0
        self.directory.mkdir(parents=True, exist_ok=True)
        for file in self.sources():
            copy = self.directory / file.relative_to(self.source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        for command in self.build_commands():
            done = subprocess.run(command, cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            if done.returncode:
                raise NotBuilt(f"{self.language}: {' '.join(command)}: {(done.stdout + done.stderr).strip()[-2000:]}")
        stamp.write_text(digest)
        return time.monotonic() - began

    async def built(self) -> float:
        """As `build`, without holding up others."""
        return await asyncio.to_thread(self.build)
