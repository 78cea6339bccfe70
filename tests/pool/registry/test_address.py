"""Where a registry lies, who may read it, and what is said when it cannot be used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from spe.errors import StoreError, UsageError
from spe.pool.registry import address
from spe.pool.registry.address import address_of, shown
from spe.pool.registry.opening import open_registry
from spe.pool.registry.registry import Registry
from spe.store.filesystem import FileSystem


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_without_an_address_it_is_a_file_that_only_its_account_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    registry = open_registry()
    folder = tmp_path / ".local/share/spe/farm"
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == ["farm.db", "farm.db-shm", "farm.db-wal", "farm.db.lock"]
    assert {mode(file) for file in files} == {0o600}
    assert mode(folder) == 0o700
    registry.close()


def test_a_file_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    (tmp_path / "farm.db").touch(0o644)
    Registry(f"sqlite:///{tmp_path}/farm.db").close()
    assert mode(tmp_path / "farm.db") == 0o600


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "remote", lambda folder: FileSystem("nfs4", "srv:/home"))
    with pytest.raises(StoreError, match=r"would lie on nfs4 \(srv:/home\), a network file system") as refused:
        Registry(f"sqlite:///{tmp_path}/farm.db")
    assert "local disk" in refused.value.todo
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="the registry cannot be made: ") as refused:
        Registry(f"sqlite:///{tmp_path}/file/farm.db")
    assert refused.value.where == f"{tmp_path}/file/farm.db"


@pytest.mark.parametrize(
    ("text", "driver"),
    [
        ("postgresql://a@b/c", "postgresql+psycopg"), ("postgres://a@b/c", "postgresql+psycopg"),
        ("mysql://a@b/c", "mysql+pymysql"), ("mariadb://a@b/c", "mariadb+pymysql"),
        ("postgresql+psycopg2://a@b/c", "postgresql+psycopg"), ("sqlite:////x", "sqlite+pysqlite"),
    ],
)  # fmt: skip
def test_a_kind_of_database_has_one_driver(text: str, driver: str) -> None:
    assert address_of(text).drivername == driver


@pytest.mark.parametrize("text", ["no url", "oracle://a@b/c", "sqlite://", "sqlite:///:memory:"])
def test_an_address_without_a_registry_is_refused_with_those_that_have_one(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        Registry(text)
    assert "sqlite:///FILE, postgresql://USER@HOST/NAME" in refused.value.todo
    assert refused.value.exit_code == 2


def test_no_message_shows_the_password() -> None:
    assert shown(address_of("postgresql://farm:secret@db/farm")) == "postgresql+psycopg://farm:***@db/farm"
    with pytest.raises(StoreError, match="the registry's database cannot be used: ") as refused:
        Registry("postgresql://farm:secret@127.0.0.1:1/farm")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("library", "url", "extra"),
    [
        ("sqlalchemy", "", "farm"),
        ("psycopg", "postgresql://a@b/c", "postgresql"),
        ("pymysql", "mysql://a@b/c", "mysql"),
    ],
)
def test_a_library_that_is_missing_is_one_sentence_with_the_line_that_installs_it(
    tmp_path: Path, library: str, url: str, extra: str
) -> None:
    code = (
        f"import sys\nsys.modules[{library!r}] = None\n"
        "from spe.errors import SpeError\nfrom spe.pool.registry.opening import open_registry\n"
        f"try:\n open_registry({url!r})\nexcept SpeError as error:\n print(error)\n sys.exit(error.exit_code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"HOME": str(tmp_path)})
    wanted = "the farm" if extra == "farm" else f"a registry in {url.partition(':')[0]}"
    told = f"{wanted} needs {library}, which is not installed\n  pip install 'spe[{extra}]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, told, "")
