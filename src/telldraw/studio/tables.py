"""The tables of the store, and how each database is spoken to: SQLite in one file, or PostgreSQL by URL."""

from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    insert,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from telldraw.errors import TelldrawError

VERSION = 1
metadata = MetaData()

about = Table("about", metadata, Column("version", Integer, nullable=False))

drawings = Table(
    "drawings",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("weights", Text, nullable=False),
    Column("checksum", String(64), nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("here", Integer, nullable=False),
    Column("undone", Text, nullable=False),  # JSON list of turn numbers
    Column("created", Float, nullable=False),
    Column("changed", Float, nullable=False),
    Index("drawings_of_owner", "owner", "changed"),
)

turns = Table(
    "turns",
    metadata,
    Column("drawing", String(32), ForeignKey("drawings.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("parent", Integer),
    Column("depth", Integer, nullable=False),
    Column("instruction", Text, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("name", Text),
    Column("candidates", Integer),
    Column("shown", Boolean, nullable=False),
    Column("key", String(100)),
    Column("seconds", Float, nullable=False),
    Column("created", Float, nullable=False),
    Column("picture", LargeBinary),
    UniqueConstraint("drawing", "name", name="turns_one_name"),
)


def connect(url: str) -> Engine:
    """The database at `url`, its tables made if they are not there. Raises TelldrawError, never showing a password."""
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        shown = parsed.render_as_string(hide_password=True)
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise TelldrawError(f"--database {shown}: drawings are kept in sqlite:///FILE or postgresql://...")
        engine = create_engine(parsed, pool_pre_ping=parsed.get_backend_name() == "postgresql")
    except (ArgumentError, NoSuchModuleError):
        raise TelldrawError(
            "--database is no database URL; write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
        ) from None
    except ModuleNotFoundError:
        raise TelldrawError("--database: PostgreSQL needs psycopg: pip install 'telldraw[postgresql]'") from None
    if engine.dialect.name == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise TelldrawError("--database: drawings are kept in a file; write sqlite:///FILE")
        _as_sqlite(engine)
    try:
        _make_tables(engine)
    except SQLAlchemyError as error:
        reason = str(error.orig if isinstance(error, DBAPIError) else error).splitlines()[0].strip()
        engine.dispose()
        raise TelldrawError(f"--database {shown} cannot be opened: {reason}") from None
    except TelldrawError:
        engine.dispose()
        raise
    return engine


def sqlite_url(file: Path) -> str:
    """The URL of a database file."""
    return f"sqlite:///{file}"


def _as_sqlite(engine: Engine) -> None:
    """Write-ahead log, every commit forced to disk, and transactions that take their lock at once."""

    @event.listens_for(engine, "connect")
    def opened(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # or sqlite3 itself begins transactions, late and deferred
        for setting in ("busy_timeout=15000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {setting}").close()

    @event.listens_for(engine, "begin")
    def began(connection: Any) -> None:
        # a reader that turns writer half way may find the lock gone: who will write says so at the beginning
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _make_tables(engine: Engine) -> None:
    with engine.execution_options(writes=True).begin() as connection:
        if engine.dialect.name == "postgresql":  # several processes may start at once
            connection.execute(text("SELECT pg_advisory_xact_lock(7355608)"))
        metadata.create_all(connection)
        found = connection.execute(select(about.c.version)).scalar()
        if found is None:
            connection.execute(insert(about).values(version=VERSION))
        elif found != VERSION:
            raise TelldrawError(
                f"the drawings are kept in form {found}, this telldraw reads form {VERSION}; "
                "use the version that wrote them, or another --database"
            )
