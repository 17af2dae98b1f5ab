"""The one state as one region sees it: what belongs to another region is not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.alicloud.regions import REGIONAL
from lab.alicloud.store import Document, Store


class RegionalStore:
    """`Store`'s documents of one region and of the account. Everything else of a store is the whole
    one's.
    """

    def __init__(self, store: Store, name: str, home: str) -> None:
        """`home` is the region of everything that no other region has been noted for."""
        self._store, self._name, self._home = store, name, home

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._store, attribute)

    def get(self, kind: str, key: str) -> Document | None:
        """One document, or None."""
        return self._store.get(kind, key) if self._here(kind, key) else None

    def put(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        """Create or replace a document; a new one is this region's."""
        with self._store.transaction():
            if kind in REGIONAL and self._name != self._home and self._store.get(kind, key) is None:
                self._store.put("place", f"{kind}:{key}", {"region": self._name})
            self._store.put(kind, key, document)

    def delete(self, kind: str, key: str) -> bool:
        """Remove a document; False when there was none here."""
        return self._here(kind, key) and self._store.delete(kind, key)

    def all(self, kind: str, **wanted: Any) -> list[Document]:
        """The documents of a kind in this region, those whose fields equal `wanted`."""
        if kind not in REGIONAL:
            return self._store.all(kind, **wanted)
        places = self._places()
        here = [
            d
            for key, d in self._store.items(kind)
            if places.get(f"{kind}:{key}", self._home) == self._name
        ]
        return [d for d in here if all(d.get(field) == value for field, value in wanted.items())]

    def ids(self, kind: str) -> list[str]:
        """Ids of this region's documents of a kind."""
        keys = self._store.ids(kind)
        if kind not in REGIONAL:
            return keys
        places = self._places()
        return [key for key in keys if places.get(f"{kind}:{key}", self._home) == self._name]

    def _places(self) -> dict[str, str]:
        """What is anywhere but at home."""
        return {key: place["region"] for key, place in self._store.items("place")}

    def _here(self, kind: str, key: str) -> bool:
        if kind not in REGIONAL:
            return True
        place = self._store.get("place", f"{kind}:{key}")
        return (place["region"] if place else self._home) == self._name
