"""The pseudonymous profile: what leaves the house when somebody needs figures but not people.

What becomes of each class of column (`definitions.Privacy`): ids become pseudonyms, the same id the
same pseudonym in every dataset, so that rows still join; names, words, fingerprints and ids of other
systems are left out; days and instants become the Monday of their week (UTC); of citations only
positions and speakers stay. A pseudonym is the AES-CMAC (NIST SP 800-38B) of the id's 16 bytes, in
the form of a UUID of version 8: whoever has not the key can neither undo nor test it, and the time
that our ids contain is gone. A message of one block is one block of AES, so a whole column is reckoned
in one call. ADR 0012 says why, and what can still be told from such data.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from coachops.export.batches import fixed_array, null_of, texts_of, validity
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
    mac = _Cmac(key)
    steps = [(column.name, _step(column, mac)) for column in view.columns]

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
    return uuid.UUID(bytes=_pseudonyms(_Cmac(key), identifier.bytes))


def key_name(key: bytes) -> str:
    """A name of the key that tells nothing about it: equal names, pseudonyms that join."""
    return hmac.digest(key, b"coachops.pseudonyms.name", "sha256").hex()[:16]


def _step(column: Column, mac: _Cmac) -> Callable[[pa.Array[Any]], pa.Array[Any]]:
    match column.privacy_class:
        case "id":
            return lambda array: _ids(array, mac)
        case "named_id":
            return lambda array: _each_text(array, lambda text: _named(text, mac))
        case "time":
            return _weeks
        case "cited":
            return lambda array: _each_text(array, _without_quotes)
        case "figures":
            return lambda array: _each_text(array, _figures_only)
        case _:
            return lambda array: array


class _Cmac:
    """AES-256-CMAC of many messages of one block each.

    With a message of exactly one block, CMAC is the cipher of the message XORed with the subkey K1.
    """

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"coachops.pseudonyms", "sha256")
        zero = int.from_bytes(self._encrypted(bytes(_ID_BYTES)), "big")
        doubled = (zero << 1) & ((1 << 128) - 1)
        subkey = doubled ^ 0x87 if zero >> 127 else doubled
        self._subkey = np.frombuffer(subkey.to_bytes(_ID_BYTES, "big"), dtype=np.uint64)

    def __call__(self, blocks: bytes | memoryview) -> bytes:
        """The codes of all blocks of 16 bytes, joined."""
        words = np.frombuffer(blocks, dtype=np.uint64).reshape(-1, 2)
        return self._encrypted((words ^ self._subkey).tobytes())

    def _encrypted(self, blocks: bytes) -> bytes:
        # each block is a code of its own: nothing is hidden by the mode, and nothing needs to be
        encryptor = Cipher(algorithms.AES(self._key), modes.ECB()).encryptor()  # noqa: S305 as said
        return encryptor.update(blocks) + encryptor.finalize()


def _pseudonyms(mac: _Cmac, blocks: bytes | memoryview) -> bytes:
    """Pseudonyms of ids of 16 bytes, joined as they are."""
    made = np.frombuffer(mac(blocks), dtype=np.uint8).reshape(-1, _ID_BYTES).copy()
    made[:, 6] = (made[:, 6] & 0x0F) | 0x80  # version 8: made by a rule of our own (RFC 9562)
    made[:, 8] = (made[:, 8] & 0x3F) | 0x80
    return made.tobytes()


def _ids(array: pa.Array[Any], mac: _Cmac) -> pa.Array[Any]:
    """Each id's pseudonym; NULL stays NULL."""
    storage = array.storage if isinstance(array, pa.ExtensionArray) else array
    rows, start = len(storage), storage.offset * _ID_BYTES
    values = storage.buffers()[1]
    blocks = memoryview(values)[start : start + rows * _ID_BYTES] if rows else b""
    made = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(_ID_BYTES), rows, [None, pa.py_buffer(_pseudonyms(mac, blocks))]
    )
    if storage.null_count:
        made = pc.if_else(storage.is_valid(), made, null_of(made.type))
    if isinstance(array, pa.ExtensionArray):
        return pa.ExtensionArray.from_storage(array.type, made)
    return made


def _weeks(array: pa.Array[Any]) -> pa.Array[Any]:
    """Each day or instant moved to the beginning (UTC) of the Monday before it."""
    if pa.types.is_date32(array.type):
        plain, width, unit = pa.int32(), "<i4", _DAY
    elif pa.types.is_timestamp(array.type) and array.type.unit == "us":
        plain, width, unit = pa.int64(), "<i8", _DAY_US
    else:
        raise TypeError(
            f"days are date32 and instants timestamps in microseconds, not {array.type}"
        )
    numbers = array.view(plain)
    values = np.frombuffer(numbers.buffers()[1], width) if len(array) else np.zeros(0, width)
    values = values[numbers.offset : numbers.offset + len(array)]
    valid = validity(array) if array.null_count else None
    if valid is not None:
        values = np.where(valid, values, 0)
    week, offset = 7 * unit, _MONDAY * unit
    moved = (values + offset) // week * week - offset
    return fixed_array(plain, moved, valid).view(array.type)


def _each_text(array: pa.Array[Any], change: Callable[[str], str]) -> pa.Array[Any]:
    changed = [None if value is None else change(value) for value in array.to_pylist()]
    return texts_of(changed).cast(array.type)


def _named(text: str, mac: _Cmac) -> str:
    """The pseudonym of an id written as text; what is no id of ours gets one from its text."""
    try:
        raw = uuid.UUID(text).bytes
    except ValueError:
        raw = hashlib.sha256(text.encode()).digest()[:_ID_BYTES]
    return str(uuid.UUID(bytes=_pseudonyms(mac, raw)))


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
