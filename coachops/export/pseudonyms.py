"""The pseudonymous profile: what leaves the house when somebody needs figures but not people.

What becomes of each class of column (`definitions.Privacy`): ids become pseudonyms, the same id the
same pseudonym in every dataset, so that rows still join; names, words, fingerprints and ids of other
systems are left out; days and instants become the Monday of their week (UTC); of citations only
positions and speakers stay. A pseudonym is the first 16 bytes of HMAC-SHA256 over the id's 16 bytes,
in the form of a UUID of version 8: whoever has not the key can neither undo nor test it, and the
time that our ids contain is gone. ADR 0012 says what can still be told from such data.
"""

from __future__ import annotations

import hmac
import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from coachops.export.definitions import Column, Dataset, Privacy

PROFILES = ("full", "pseudonymous")
"""Privacy profiles of an export."""

Transform = Callable[[pa.RecordBatch], pa.RecordBatch]

_DROPPED: frozenset[Privacy] = frozenset({"external", "name", "free_text", "digest"})
_ID_BYTES = 16
_DAY = 1
_DAY_US = 86_400_000_000
_MONDAY = 3
"""1970-01-01 was a Thursday: so many days after a Monday."""
_CITED = ("position", "speaker")


def pseudonymise(dataset: Dataset, key: bytes) -> tuple[Dataset, Transform]:
    """A dataset without people: its definition, and what makes its batches from the full ones.

    Parameters:
        dataset: the full one.
        key: secret of the pseudonyms; with another key all pseudonyms are others.

    Returns:
        the definition (`profile` is `pseudonymous`; rows keep their order, which is no order of
        the new keys, so `ordered` is False), and a function that takes a batch of the full dataset
        (ids as 16 bytes, days as date32, instants as timestamps, JSON as text).

    Raises:
        TypeError: a column does not say what it tells of a person.
        ValueError: the key is empty.
    """
    if not key:
        raise ValueError("pseudonyms need a key")
    view = view_of(dataset)
    steps = [(column.name, _step(column, key)) for column in view.columns]

    def transform(batch: pa.RecordBatch) -> pa.RecordBatch:
        fields, arrays = [], []
        for name, step in steps:
            index = batch.schema.get_field_index(name)
            made = step(batch.column(index))
            arrays.append(made)
            fields.append(batch.schema.field(index).with_type(made.type))
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))

    return view, transform


def view_of(dataset: Dataset) -> Dataset:
    """The definition of the pseudonymous dataset.

    Raises:
        TypeError: a column does not say what it tells of a person.
    """
    columns = tuple(each for each in dataset.columns if each.privacy_class not in _DROPPED)
    names = {column.name for column in columns}
    return replace(
        dataset,
        description=f"{dataset.description} Pseudonymous: without names and words.",
        columns=columns,
        foreign_keys=tuple(key for key in dataset.foreign_keys if key.column in names),
        profile="pseudonymous",
        ordered=False,
        _by_name={},
    )


def pseudonym(key: bytes, identifier: uuid.UUID) -> uuid.UUID:
    """The pseudonym of an id."""
    return uuid.UUID(bytes=_pseudonyms(key, [identifier.bytes]).tobytes())


def key_name(key: bytes) -> str:
    """A name of the key that tells nothing about it: equal names, pseudonyms that join."""
    return hmac.digest(key, b"coachops.pseudonyms.name", "sha256").hex()[:16]


def _step(column: Column, key: bytes) -> Callable[[pa.Array[Any]], pa.Array[Any]]:
    match column.privacy_class:
        case "id":
            return lambda array: _ids(array, key)
        case "named_id":
            return lambda array: _each_text(array, lambda text: _named(text, key))
        case "time":
            return _weeks
        case "cited":
            return lambda array: _each_text(array, _without_quotes)
        case "figures":
            return lambda array: _each_text(array, _figures_only)
        case _:
            return lambda array: array


def _pseudonyms(key: bytes, values: Iterable[bytes]) -> np.ndarray[Any, Any]:
    """Pseudonyms of ids of 16 bytes, one row of 16 bytes each."""
    digest = hmac.digest
    joined = b"".join([digest(key, value, "sha256") for value in values])
    made = np.frombuffer(joined, dtype=np.uint8).reshape(-1, 32)[:, :_ID_BYTES].copy()
    made[:, 6] = (made[:, 6] & 0x0F) | 0x80  # version 8: made by a rule of our own (RFC 9562)
    made[:, 8] = (made[:, 8] & 0x3F) | 0x80
    return made


def _ids(array: pa.Array[Any], key: bytes) -> pa.Array[Any]:
    """Each id's pseudonym; an id that stands many times in the batch is reckoned once."""
    storage = array.storage if isinstance(array, pa.ExtensionArray) else array
    encoded = storage.dictionary_encode()
    known = encoded.dictionary.to_pylist()
    made = _pseudonyms(key, known)
    values = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(_ID_BYTES), len(known), [None, pa.py_buffer(made.tobytes())]
    )
    taken = values.take(encoded.indices)
    if isinstance(array, pa.ExtensionArray):
        return pa.ExtensionArray.from_storage(array.type, taken)
    return taken


def _weeks(array: pa.Array[Any]) -> pa.Array[Any]:
    """Each day or instant moved to the beginning (UTC) of the Monday before it."""
    if pa.types.is_date32(array.type):
        plain, unit = pa.int32(), _DAY
    elif pa.types.is_timestamp(array.type) and array.type.unit == "us":
        plain, unit = pa.int64(), _DAY_US
    else:
        raise TypeError(
            f"days are date32 and instants timestamps in microseconds, not {array.type}"
        )
    numbers = array.view(plain)
    values = numbers.fill_null(0).to_numpy(zero_copy_only=False)
    week, offset = 7 * unit, _MONDAY * unit
    moved = (values + offset) // week * week - offset
    mask = np.asarray(array.is_null()) if array.null_count else None
    return pa.array(moved, type=plain, mask=mask).view(array.type)


def _each_text(array: pa.Array[Any], change: Callable[[str], str]) -> pa.Array[Any]:
    changed = [None if value is None else change(value) for value in array.to_pylist()]
    return pa.array(changed, type=array.type)


def _named(text: str, key: bytes) -> str:
    """The pseudonym of an id written as text; what is no id of ours gets one from its text."""
    try:
        raw = uuid.UUID(text).bytes
    except ValueError:
        raw = text.encode()
    return str(uuid.UUID(bytes=_pseudonyms(key, [raw]).tobytes()))


def _without_quotes(text: str) -> str:
    """Citations with nothing but position and speaker."""
    cited = json.loads(text)
    rows = cited if isinstance(cited, list) else []
    return _canonical(
        [
            {name: row[name] for name in _CITED if isinstance(row.get(name), int | str)}
            for row in rows
            if isinstance(row, dict) and row.get("speaker") in {"coach", "client", "other", None}
        ]
    )


def _figures_only(text: str) -> str:
    return _canonical(_figures(json.loads(text)))


def _figures(value: Any) -> Any:
    """Numbers and switches where they stand; every text becomes null."""
    if isinstance(value, dict):
        return {name: _figures(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_figures(each) for each in value]
    return None if isinstance(value, str) else value


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
