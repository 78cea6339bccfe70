"""Registries of other versions: newer ones are refused, older ones are copied and then migrated."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from spe.errors import StoreError
from spe.pool.registry import schema
from spe.pool.registry.registry import Registry
from spe.pool.registry.tables import METADATA
from sqlalchemy import Connection, MetaData, create_engine, inspect, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from .samples import EACH, by_key, everything

SAMPLES = Path(__file__).parent / "versions"


def change(registry: Registry, words: str) -> None:
    with registry._engine.begin() as connection:
        connection.execute(text(words))


def set_schema(registry: Registry, version: int) -> None:
    with registry._engine.begin() as connection:
        connection.execute(schema.update(schema.META).values(schema=version))


def test_a_newer_registry_is_refused_in_one_sentence(registry: Registry, url: str) -> None:
    set_schema(registry, schema.SCHEMA + 1)
    registry.close()
    with pytest.raises(StoreError, match=r"written by a newer spe \(schema 2, this one knows 1\)") as refused:
        Registry(url)
    assert refused.value.todo == "start the farm with the newer spe"


def test_an_older_registry_is_copied_and_migrated(
    registry: Registry, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    registry.commit(EACH).result()
    set_schema(registry, 0)
    registry.close()
    tries: list[int] = []

    def to_1(connection: Connection) -> None:
        connection.execute(text("UPDATE licences SET total = 4"))
        tries.append(1)
        if len(tries) == 1:
            raise StoreError("broken off")

    monkeypatch.setitem(schema.STEPS, 1, to_1)
    with pytest.raises(StoreError, match="broken off"):
        Registry(url)
    wait_for_no_lead(url)
    again = Registry(url)
    assert again.load().licences[0].total == 4
    assert "the registry was brought up to date; the older one is in " in caplog.text
    names = set(inspect(again._engine).get_table_names())
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///"))
        copy = file.with_name("farm.db.schema-0")
        assert copy.stat().st_mode & 0o777 == 0o600
        engine = create_engine(f"sqlite:///{copy}")
        table = "licences"
    else:
        assert names >= {f"{name}_schema_0" for name in METADATA.tables}
        engine = again._engine
        table = "licences_schema_0"
    with engine.connect() as connection:
        assert connection.execute(text(f"SELECT name, total FROM {table}")).all() == [("abaqus", 3)]
    again.close()
    tries.clear()
    Registry(url).close()
    assert tries == []


def wait_for_no_lead(url: str) -> None:
    """Let the lead be free that the farm had which broke off."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(schema.update(schema.META).values(renewed=0.0))
    engine.dispose()


def test_a_database_with_a_table_of_another_program_is_refused(url: str) -> None:
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE jobs (what VARCHAR(9))"))
    with pytest.raises(StoreError, match="has a table jobs of another program"):
        Registry(url)
    assert inspect(engine).get_table_names() == ["jobs"]
    engine.dispose()


def test_a_first_start_that_broke_off_is_taken_up(url: str) -> None:
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir()
    engine = create_engine(url)
    some = MetaData()
    for name in ("meta", "users"):
        METADATA.tables[name].to_metadata(some)
    some.create_all(engine)
    engine.dispose()
    registry = Registry(url)
    registry.commit(EACH).result()
    assert everything(registry) == by_key(EACH)
    registry.close()


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.sql")), ids=lambda sample: sample.stem)
def test_a_registry_of_each_version_loads_all_its_rows(sample: Path, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "farm.db") as connection:
        connection.executescript(sample.read_text(encoding="utf-8"))
    connection.close()
    registry = Registry(f"sqlite:///{tmp_path}/farm.db")
    assert everything(registry) == by_key(EACH)
    registry.close()


def test_the_tables_are_those_of_the_newest_sample() -> None:
    """Whoever changes rows.py writes a migration: see schema.SCHEMA."""
    newest = max(SAMPLES.glob("*.sql"), key=lambda sample: int(sample.stem))
    assert int(newest.stem) == schema.SCHEMA
    there = " ".join(newest.read_text(encoding="utf-8").split())
    for table in METADATA.sorted_tables:
        words = " ".join(str(CreateTable(table).compile(dialect=sqlite.dialect())).split())
        assert words in there, f"{table.name} differs from schema {schema.SCHEMA}"
