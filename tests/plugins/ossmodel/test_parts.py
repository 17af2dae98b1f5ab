"""The small parts by themselves: checksums, upload records, retries, redaction, progress, ids,
manifest.
"""

from __future__ import annotations

import errno
import json
import logging
import threading
from pathlib import Path

import pytest
from oss2 import exceptions
from oss2.utils import Crc64

from providers.ossmodel import control, crc64, digest, redact
from providers.ossmodel.checkpoints import Checkpoints
from providers.ossmodel.control import Control, retrying
from providers.ossmodel.digest import FileEntry
from providers.ossmodel.engine import Reporter
from providers.ossmodel.errors import Cancelled, ModelError
from providers.ossmodel.layout import Layout
from providers.ossmodel.manifest import Manifest, NotAManifestError
from providers.ossmodel.uploader import content_type
from tests.plugins.ossmodel import savedmodels

RECORD = {"op_type": "ResumableUpload", "upload_id": "0004B999EF518A1FE585B0C9360DC4C8", "size": 1}


@pytest.mark.parametrize("make", [crc64._liblzma, crc64._crcmod], ids=["liblzma", "crcmod"])
def test_both_checksum_implementations_agree_with_oss2(make) -> None:
    data, own = savedmodels.noise(100_001), Crc64()
    own.update(data)
    _, update = make()
    assert update is not None
    assert update(data[7:], update(data[:7], 0)) == own.crc == crc64.update(data)


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "shard"
    file.write_bytes(b"a" * (3 << 20))

    def meddle(name: str, size: int) -> None:
        with open(file, "ab") as stream:
            stream.write(b"b")

    with pytest.raises(
        ModelError, match=r"the file changed while it was read|The file changed while it was read"
    ):
        digest.of_file(file, "shard", meddle)


def test_an_unchanged_file_is_not_read_twice(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x")
    reads: list[int] = []
    for _ in range(2):
        digest.of_file(file, "f", lambda _, size: reads.append(size))
    assert reads == [1]


def test_an_upload_record_survives_and_belongs_to_one_content(tmp_path: Path) -> None:
    store = Checkpoints("b", "k", "a" * 64, tmp_path)
    name = store.make_store_key("b", "k", "/any/path")
    store.put(name, RECORD)
    again = Checkpoints("b", "k", "a" * 64, tmp_path)
    assert again.get(again.make_store_key("b", "k", "/other/path")) == RECORD
    other = Checkpoints("b", "k", "c" * 64, tmp_path)
    assert other.get(other.make_store_key("b", "k", "/any/path")) is None
    assert other.take_others() == [RECORD["upload_id"]] and again.get(name) is None


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"upload_id": 5}', '{"upload_id": "../../x"}'])
def test_a_damaged_upload_record_counts_as_none(tmp_path: Path, damage: str) -> None:
    store = Checkpoints("b", "k", "a" * 64, tmp_path)
    name = store.make_store_key("b", "k", "f")
    (tmp_path / name).write_text(damage)
    assert store.get(name) is None


def test_a_full_disk_is_one_clear_message_and_leaves_the_old_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Checkpoints("b", "k", "a" * 64, tmp_path)
    name = store.make_store_key("b", "k", "f")
    store.put(name, RECORD)

    def full(self: Path, *args, **kwargs) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(ModelError) as caught:
            store.put(name, {**RECORD, "upload_id": "other"})
    assert (
        "No space left on device" in str(caught.value)
        and "EI_CACHE" in str(caught.value)
        and str(tmp_path) in str(caught.value)
    )
    assert store.get(name) == RECORD and [path.name for path in tmp_path.iterdir()] == [name]


def test_a_record_directory_that_cannot_be_made_is_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="EI_CACHE"):
        Checkpoints("b", "k", "a" * 64, tmp_path / "file" / "uploads")


def _server_error(status: int, code: str) -> exceptions.ServerError:
    return exceptions.ServerError(status, {}, b"", {"Code": code})


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (_server_error(500, "InternalError"), True),
        (_server_error(503, "ServiceUnavailable"), True),
        (_server_error(429, "TooManyRequests"), True),
        (_server_error(400, "RequestTimeout"), True),
        (exceptions.RequestError(ConnectionResetError("reset")), True),
        (exceptions.InconsistentError("crc"), True),
        (_server_error(403, "AccessDenied"), False),
        (_server_error(404, "NoSuchBucket"), False),
        (ValueError("a fault of ours"), False),
    ],
)
def test_only_faults_that_may_pass_are_repeated(
    error: Exception, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "FIRST_WAIT", 0.001)
    calls: list[int] = []

    def fails() -> None:
        calls.append(1)
        raise error

    with pytest.raises(type(error)):
        retrying(fails, Control())
    assert len(calls) == (control.RETRIES if again else 1)


def test_a_pause_between_attempts_ends_with_the_cancellation() -> None:
    cancelled = threading.Event()
    threading.Timer(0.05, cancelled.set).start()
    with pytest.raises(Cancelled, match="the same command continues from there"):
        Control(cancelled).wait(30)


def test_a_time_limit_is_told_with_its_length() -> None:
    limited = Control(timeout=0.01)
    with pytest.raises(ModelError, match=r"not done after 0.01 s.*customTimeouts"):
        limited.wait(5)


def test_secrets_and_signatures_are_removed_from_any_text() -> None:
    hide = redact.Redactor()
    hide.add("s3cretkey", "token-abcdef", "", None, "abc")
    text = hide(
        "key s3cretkey, SecurityToken=token-abcdef&x=1, Authorization: OSS4-HMAC-SHA256 Credential=AK/2026, Signature=deadbeef"
    )
    assert (
        "s3cretkey" not in text
        and "token-abcdef" not in text
        and "deadbeef" not in text
        and "Credential" not in text
    )
    assert (
        hide("abc stays, x-oss-security-token: CAISxyz")
        == "abc stays, x-oss-security-token: [secret]"
    )


def test_log_records_are_redacted_with_their_tracebacks() -> None:
    redact.redact.add("very-secret-value")
    try:
        raise ValueError("very-secret-value")
    except ValueError as error:
        trace = (ValueError, error, error.__traceback__)
        record = logging.LogRecord(
            "x", logging.ERROR, "f", 1, "failed with %s", ("very-secret-value",), trace
        )
    redact.RedactingFilter().filter(record)
    assert (
        "very-secret-value" not in logging.Formatter().format(record)
        and "[secret]" in record.getMessage()
    )


class _Kept:
    def __init__(self) -> None:
        self.sent: list[tuple[str, bool]] = []

    def send(self, severity: str, message: str, urn: str = "", ephemeral: bool = False) -> None:
        self.sent.append((message, ephemeral))


def test_progress_is_told_every_two_seconds_with_files_size_and_speed() -> None:
    now, log = [0.0], _Kept()
    reporter = Reporter(log, "urn", clock=lambda: now[0])
    reporter.begin("uploading", 3, 30 << 20)
    for second in (0.5, 1.0, 2.5, 3.0, 4.6):
        now[0] = second
        reporter.advance(2 << 20)
    assert log.sent == [
        ("uploading: 1 of 3 files, 6.0 of 30.0 MiB, 2.4 MiB/s", True),
        ("uploading: 1 of 3 files, 10.0 of 30.0 MiB, 2.2 MiB/s", True),
    ]


def test_resumed_bytes_count_as_done_but_not_as_speed() -> None:
    now, log = [0.0], _Kept()
    reporter = Reporter(log, "urn", clock=lambda: now[0])
    reporter.begin("uploading", 1, 30 << 20)
    reporter.advance(20 << 20, moved=False)
    now[0] = 2.0
    reporter.advance(2 << 20)
    assert log.sent == [("uploading: 1 of 1 files, 22.0 of 30.0 MiB, 1.0 MiB/s", True)]


@pytest.mark.parametrize("text", ["oss://b/models/tensorflow/7", "b/models/tensorflow/7"])
def test_an_id_names_bucket_prefix_and_version(text: str) -> None:
    layout = Layout.parse(text)
    assert (
        layout == Layout("b", "models/tensorflow", "7")
        and layout.resource_id == "oss://b/models/tensorflow/7"
    )


@pytest.mark.parametrize("text", ["", "b", "b/7", "oss://b//7", "oss://b/p/latest"])
def test_an_id_of_another_form_is_refused_with_the_right_one(text: str) -> None:
    with pytest.raises(ModelError, match="oss://<bucket>/<prefix>/<version>"):
        Layout.parse(text)


def test_the_manifest_lies_where_tensorflow_serving_sees_no_version() -> None:
    key = Layout("b", "models/tensorflow", "7").manifest_key
    assert key == "models/tensorflow/.ossmodel/7.json"
    assert not any(part.isdecimal() for part in key.split("/"))


def test_a_manifest_comes_back_as_it_was_and_a_foreign_one_is_told_from_a_newer_one() -> None:
    manifest = Manifest("models/7", "owner", {"a": FileEntry(1, "s", "18446744073709551615")})
    encoded = manifest.encode("p/7")
    assert Manifest.decode(encoded) == manifest and manifest.encode("p/7") == encoded
    for foreign in (b"", b"[]", b"{}", encoded.replace(b'"size": 1', b'"size": 2')):
        with pytest.raises(NotAManifestError):
            Manifest.decode(foreign)
    with pytest.raises(ModelError, match="has schema 9; expected 1") as caught:
        Manifest.decode(b'{"schema": 9}')
    assert not isinstance(caught.value, NotAManifestError)
    earlier = json.loads(encoded)
    del earlier["complete"], earlier["resource"]
    assert Manifest.decode(json.dumps(earlier).encode()) == manifest


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("saved_model.pb", "application/x-protobuf"),
        ("variables/variables.data-00000-of-00001", "application/octet-stream"),
        ("assets/vocab.txt", "text/plain; charset=utf-8"),
        ("assets/config.json", "application/json"),
        ("x", "application/octet-stream"),
    ],
)
def test_objects_carry_the_type_of_their_file(path: str, kind: str) -> None:
    assert content_type(path) == kind
