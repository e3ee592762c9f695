"""Column access without the ORM's guesswork: ``c(PostRow).state`` is a SQL column, also for the type checker."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Boolean, ColumnDefault, Dialect, Table, TextClause, any_, bindparam, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import Session, SQLModel


def t(model: type[SQLModel]) -> Table:
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table


def c(model: type[SQLModel]) -> Any:
    return t(model).c


def active(model: type[SQLModel]) -> TextClause:
    """The condition of ``model``'s index of active rows, in the index's own words: SQLite uses a partial index only where
    its condition stands in the question literally."""
    table = t(model)
    index = next(index for index in table.indexes if index.name == f"ix_{table.name}_active")
    return text(f"{table.name}.{index.dialect_options['sqlite']['where']}")


class among(FunctionElement[bool]):  # noqa: N801 - reads as what it is in a statement
    """``column`` is one of ``values``, a collection or the name of a parameter that brings one.

    PostgreSQL gets them as one array: with a parameter for each, a statement for ninety rows is another one than that for
    ninety-one, and is read, planned and prepared anew each time. SQLite gets a list, which it looks up in the index.
    """

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: Any, values: Collection[Any] | str) -> None:
        named = isinstance(values, str)
        given: dict[str, Any] = {"key": values} if named else {"key": "among", "value": [*values], "unique": True}
        listed = bindparam(**given, type_=column.type, expanding=True)
        array = bindparam(**given, type_=postgresql.ARRAY(column.type))
        super().__init__(column.in_(listed), column == any_(array))

    def self_group(self, against: Any = None) -> among:
        """As it is: SQLAlchemy would ask whether a truth value equals 1, and SQLite would use no index for that."""
        return self


@compiles(among)
def _listed(element: among, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses.clauses[0], **options))


@compiles(among, "postgresql")
def _as_array(element: among, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses.clauses[1], **options))


def upsert(
    session: Session,
    model: type[SQLModel],
    rows: Sequence[Mapping[str, Any]],
    *,
    key: Iterable[str],
    change: Iterable[str] = (),
) -> None:
    """Many rows in one statement, all with the same columns. Rows that are there already get the columns in ``change``
    (none: they stay as they are). Row by row through the ORM reaches 2 % of this speed."""
    if rows:
        session.flush()  # what these rows refer to
        _write(session, model, rows, tuple(key), tuple(change))


def insert_rows(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """New rows that nothing has to be read of again: one statement, no objects. All with the same columns."""
    if rows:
        _write(session, model, rows, (), ())


def _write(
    session: Session,
    model: type[SQLModel],
    rows: Sequence[Mapping[str, Any]],
    key: tuple[str, ...],
    change: tuple[str, ...],
) -> None:
    connection = session.connection()
    insert = _bulk_insert(model, tuple(rows[0]), key, change, connection.dialect)
    if any(len(row) != len(rows[0]) for row in rows):  # others of the same number miss one, and that is a KeyError
        raise ValueError(f"the rows for {t(model).name} have different columns")
    connection.exec_driver_sql(insert.sql, insert.bind(rows))


@dataclass(frozen=True, slots=True)
class _BulkInsert:
    """The statement in the driver's own words. Compiled once: for a page of a hundred posts Core spends more time on
    naming parameters than the database on storing them. ``fixed``: the columns' defaults, ready for the driver."""

    sql: str
    order: tuple[str, ...]
    converters: Mapping[str, Callable[[Any], Any] | None]
    fixed: Mapping[str, Any]
    positional: bool

    def bind(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """The rows as the driver wants them. Column by column: what a type does is looked up once, not once a row."""
        bound = []
        for name in self.order:
            convert = self.converters.get(name)
            if name in self.fixed:
                bound.append([self.fixed[name]] * len(rows))
            elif convert is None:
                bound.append([row[name] for row in rows])
            else:
                bound.append([convert(row[name]) for row in rows])
        if self.positional:
            return list(zip(*bound, strict=True))
        return [dict(zip(self.order, values, strict=True)) for values in zip(*bound, strict=True)]


@lru_cache(maxsize=256)
def _bulk_insert(
    model: type[SQLModel], names: tuple[str, ...], key: tuple[str, ...], change: tuple[str, ...], dialect: Dialect
) -> _BulkInsert:
    table = t(model)
    defaults = {
        column.name: column.default.arg
        for column in table.columns
        if column.name not in names and isinstance(column.default, ColumnDefault) and column.default.is_scalar
    }
    values = {name: bindparam(name, type_=table.c[name].type) for name in (*names, *defaults)}
    statement: Any = (postgresql if dialect.name == "postgresql" else sqlite).insert(table).values(values)
    if change:
        statement = statement.on_conflict_do_update(
            index_elements=list(key), set_={name: statement.excluded[name] for name in change}
        )
    elif key:
        statement = statement.on_conflict_do_nothing(index_elements=list(key))
    compiled = statement.compile(dialect=dialect)
    converters = {name: table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in values}
    return _BulkInsert(
        sql=str(compiled),
        order=tuple(compiled.positiontup) if compiled.positional else tuple(values),
        converters=converters,
        fixed={
            name: value if (convert := converters[name]) is None else convert(value) for name, value in defaults.items()
        },
        positional=bool(compiled.positional),
    )
