"""What is fuzzed: each target takes what hypothesis drew and lets nothing pass but the documented kinds of errors.

``test_bad_input.py`` runs them with random examples, ``fuzz/`` with examples that coverage guides.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import strategies as drawn
from hypothesis import strategies as st
from scripted_server import ScriptedServer

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.errors import TencentIMError
from airflow_provider_tencentim.client.history_file import read_history_file
from airflow_provider_tencentim.client.messages import check_size, parse_msg_body
from airflow_provider_tencentim.client.pacing import ProcessPacer
from airflow_provider_tencentim.client.seqs import parse_seq_lines, parse_seqs
from airflow_provider_tencentim.client.signature import SecretKey
from airflow_provider_tencentim.client.wire import Wire, WireAnswer, WireFault
from airflow_provider_tencentim.emulator import usersig
from airflow_provider_tencentim.emulator.loading import load
from airflow_provider_tencentim.emulator.store import App
from airflow_provider_tencentim.hooks.settings import client_arguments
from airflow_provider_tencentim.operators.arguments import Arguments
from airflow_provider_tencentim.retention.archive import Archive
from airflow_provider_tencentim.retention.buckets import Shard
from airflow_provider_tencentim.retention.c2c_policy import C2CRetentionPolicy
from airflow_provider_tencentim.retention.files import from_json, to_json
from airflow_provider_tencentim.retention.holds import read_holds
from airflow_provider_tencentim.retention.plan import Plan, PlanHeader, PlanRow, check_digest
from airflow_provider_tencentim.retention.policy import RetentionPolicy
from airflow_provider_tencentim.retention.policy_file import read_policy
from airflow_provider_tencentim.retention.progress import FileStore, Progress
from airflow_provider_tencentim.retention.run import Guards, check_plan, make_plan, open_plan
from airflow_provider_tencentim.retention.state import State

SDKAPPID, NOW = 1400000000, datetime(2026, 6, 1, tzinfo=UTC)
MOST_CALLS = 5_000

TARGETS: dict[str, tuple[Callable[[Any], None], st.SearchStrategy[Any]]] = {}


def target(strategy: st.SearchStrategy[Any]) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Name a function as a target."""

    def note(function: Callable[[Any], None]) -> Callable[[Any], None]:
        TARGETS[function.__name__] = function, strategy
        return function

    return note


class EndlessError(Exception):
    """So many calls are a hang."""


class _Free(ProcessPacer):
    """Everybody may send at once."""

    def reserve(self, key: str, rate: float) -> float:
        return 0.0

    def slow_down(self, key: str, seconds: float) -> None:
        pass


class _Answers:
    """Stands for the wire: answers with what was drawn, round and round."""

    def __init__(self, bodies: list[bytes]) -> None:
        self._bodies = bodies
        self.calls = 0

    def post(self, path: str, query: str, payload: bytes) -> WireAnswer:
        self.calls += 1
        if self.calls > MOST_CALLS:
            raise EndlessError(f"{MOST_CALLS} calls")
        return WireAnswer(200, self._bodies[self.calls % len(self._bodies)], 0.0)

    def close(self) -> None:
        pass


@contextmanager
def _client(bodies: list[bytes]) -> Iterator[TencentIMClient]:
    waits = transport._back_off, transport.SLOW_DOWN_SECONDS
    transport._back_off, transport.SLOW_DOWN_SECONDS = (lambda _: 0.0), 0.0  # type: ignore[assignment]
    client = TencentIMClient(SDKAPPID, "key", base_url="https://localhost", pacer=_Free(), calls_per_second=200)
    client._transport._wire = _Answers(bodies or [b""])  # type: ignore[assignment]
    try:
        yield client
    finally:
        transport._back_off, transport.SLOW_DOWN_SECONDS = waits
        client.close()


_SEVERAL = st.lists(drawn.answer_bytes, min_size=1, max_size=4)
_CALLS: list[Callable[[TencentIMClient], Any]] = [
    lambda client: client.modify_group_msg("room", 1, "x"),
    lambda client: list(client.group_msg_recall("room", ["1-25"])),
    lambda client: list(client.preview_group_msg_recall("room", ["1-45"])),
    lambda client: client.clear_group_msg("room", 5),
    lambda client: list(client.get_group_info(["room", "@TGS#1"])),
    lambda client: list(islice(client.iter_groups(), 1000)),
    lambda client: list(islice(client.iter_joined_groups("alice"), 1000)),
    lambda client: list(islice(client.iter_group_history("room"), 1000)),
    lambda client: client.delete_group_msg_by_sender("room", "alice"),
    lambda client: client.admin_msgwithdraw("alice", "bob", "1_2_3"),
    lambda client: list(islice(client.iter_c2c_history("alice", "bob"), 1000)),
    lambda client: list(islice(client.iter_conversations("alice"), 1000)),
    lambda client: client.account_check(["alice"]),
    lambda client: client.get_history("Group", "2026010100"),
    lambda client: client.call("some/command", {}),
]


@target(st.tuples(st.integers(0, len(_CALLS) - 1), _SEVERAL))
def answers(given: tuple[int, list[bytes]]) -> None:
    """Answers of every command: a TencentIMError or a result, and never without end."""
    call, bodies = given
    with _client(bodies) as client:
        try:
            _CALLS[call](client)
        except TencentIMError as error:
            str(error)


_SERVER: list[ScriptedServer] = []


@target(drawn.http_answers)
def wire(given: bytes) -> None:
    """The bytes of an HTTP answer, as they come over a socket: an answer or a fault, and no exception at all."""
    if not _SERVER:
        _SERVER.append(ScriptedServer(lambda _: iter(())).__enter__())
    _SERVER[0].replies = [lambda _: iter([given])]
    session = Wire(_SERVER[0].url, 4.0, None)
    try:
        outcome = session.post("/v4/some/command", "usersig=secret", b"{}")
        assert isinstance(outcome, WireAnswer) or (isinstance(outcome, WireFault) and "secret" not in outcome.reason)
    finally:
        session.close()


_POLICIES = [
    RetentionPolicy.parse({"older_than": "P60D", "all_groups": True, "action": "clear"}),
    RetentionPolicy.parse({"older_than": "P60D", "groups": ["room"], "action": "recall", "keep_last": 2}),
    RetentionPolicy.parse({"older_than": "P60D", "groups": ["room"], "action": "redact", "replacement": "x"}),
    RetentionPolicy.parse(
        {
            "older_than": "P60D",
            "groups": ["room", "@TGS#1"],
            "action": "redact_and_recall",
            "replacement": "x",
            "text_matches": ["h"],
        }
    ),
    C2CRetentionPolicy.parse({"older_than": "P60D", "accounts": ["alice"], "action": "recall"}),
    C2CRetentionPolicy.parse(
        {"older_than": "P60D", "pairs": [["alice", "bob"]], "action": "redact", "replacement": "x"}
    ),
]


@target(st.tuples(st.integers(0, len(_POLICIES) - 1), _SEVERAL, _SEVERAL, st.booleans()))
def retention(given: tuple[int, list[bytes], list[bytes], bool]) -> None:
    """A policy planned and carried out on drawn answers: what adds up, or a TencentIMError."""
    which, planning, applying, archived = given
    policy = _POLICIES[which].resolve(NOW, NOW)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        try:
            with _client(planning) as client:
                planned = make_plan(client, policy, folder / "plan", holds=None, state_path=folder / "state", run={})
            with _client(applying) as client:
                plan = Plan(planned.folder, planned.digest)
                plan.verify()
                application = open_plan(
                    client,
                    plan,
                    holds=None,
                    archive_to=folder / "archive" if archived else None,
                    report_path=folder / "report",
                    state_path=folder / "state",
                )
                try:
                    application.sweep.run()
                finally:
                    counts = application.summary()
                    parts = [counts[name] for name in ("done", "already", "missing", "failed")]
                    assert counts["requested"] == sum(parts), counts
                    assert min(parts) >= 0, counts
        except TencentIMError:
            pass


@target(st.tuples(drawn.connection_extras, drawn.hosts, st.one_of(st.none(), drawn.integers), drawn.texts, drawn.texts))
def connection(given: tuple[str, str | None, int | None, str, str]) -> None:
    """A connection: a client that can sign, or a ValueError that does not show the extra."""
    extra, host, port, login, password = given
    fields = SimpleNamespace(
        conn_type="tencentim",
        schema="",
        extra=extra,
        host=host,
        port=port,
        login=login or "1400000000",
        password=password or "key",
    )
    with suppress(ValueError):  # noqa: SIM117 - the client is made inside
        with TencentIMClient(**client_arguments(fields, lambda _: SimpleNamespace(conn_type="http"))) as client:  # type: ignore[arg-type,return-value]
            try:
                client._transport._signer.current()
            except ValueError as error:
                raise AssertionError("a key that cannot sign was taken") from error


@target(
    st.tuples(
        st.one_of(
            drawn.values,
            drawn.ranges,
            st.lists(drawn.ranges, max_size=3),
            drawn.bodies.map(drawn.json_text),
            drawn.bodies.map(repr) | drawn.texts,
        )
    )
)
def rendered(given: tuple[Any]) -> None:
    """Rendered arguments of operators, read in every way."""
    (value,) = given
    operator: Any = SimpleNamespace(x=value)
    for read in (Arguments.value, Arguments.content, Arguments.integer, Arguments.flag, Arguments.items):
        with suppress(ValueError):
            result = read(Arguments(operator, frozenset({"x"})), "x")
            if read is Arguments.items:
                parse_seqs(result)
    for parse in (parse_msg_body, check_digest, Shard.parse):
        with suppress(ValueError):
            body: Any = parse(value)
            if parse is parse_msg_body:
                check_size({"MsgBody": body})


@target(drawn.policies)
def policy(given: object) -> None:
    """A policy as a mapping: what it says comes back from what it writes, or a ValueError."""
    for kind in (RetentionPolicy, C2CRetentionPolicy):
        with suppress(ValueError):
            parsed = kind.parse(given)
            resolved = parsed.resolve(NOW, NOW)
            assert kind.parse(json.loads(json.dumps(resolved.to_dict()))) == resolved
            assert resolved.selection_key


@target(st.tuples(drawn.yaml_texts, st.sampled_from(["p.yaml", "p.json"])))
def policy_file(given: tuple[str, str]) -> None:
    """A policy as a file."""
    with suppress(ValueError):
        policy(read_policy(*given))


@target(
    st.one_of(
        st.lists(drawn.globs, max_size=5).map("\n".join).map(lambda text: text.encode(errors="surrogatepass")),
        st.binary(max_size=60),
    )
)
def holds(given: bytes) -> None:
    """A file of holds."""
    with suppress(ValueError):
        path: Any = SimpleNamespace(open=lambda mode: io.BytesIO(given))
        patterns = read_holds(path)
        assert patterns
        patterns.matches("room")


@target(st.tuples(drawn.headers, st.lists(drawn.plan_rows, max_size=3), st.booleans()))
def plan(given: tuple[dict[str, Any], list[Any], bool]) -> None:
    """A plan whose digests are right and whose content is drawn: refused, or rows that count what they name."""
    header, rows, honest = given
    with suppress(ValueError), tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        content = b"".join(drawn.json_text(row).encode() + b"\n" for row in rows)
        (Path(name) / "rows-00000.jsonl").write_bytes(content)
        if honest:
            counted = [row for row in rows if isinstance(row, dict) and "action" in row]
            total = sum(row["messages"] for row in counted if type(row.get("messages")) is int)
            header = header | {
                "groups": len(counted),
                "messages": total,
                "format": 1,
                "parts": [[len(rows), hashlib.sha256(content).hexdigest()]] if rows else [],
            }
        text = drawn.json_text(header).encode()
        (Path(name) / "header.json").write_bytes(text)
        read = Plan(Path(name), hashlib.sha256(text).hexdigest())
        read.verify()
        assert sum(row.messages for row in read.rows() if row.action) == read.header.messages
        client: Any = SimpleNamespace(sdkappid=read.header.sdkappid, base_url=read.header.base_url)
        check_plan(client, read.header, Guards(), has_holds=True)


@target(st.one_of(drawn.headers, drawn.plan_rows))
def plan_json(given: Any) -> None:
    """A header and a row by themselves."""
    for read in (PlanHeader.from_dict, PlanRow.from_dict):
        if isinstance(given, dict):
            with suppress(ValueError):
                read(given)


@target(st.one_of(drawn.progress.map(drawn.json_text).map(str.encode), st.binary(max_size=40)))
def progress(given: bytes) -> None:
    """What a task kept for its retries: it can be stored again, whatever was there."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        path = Path(name) / "progress.json"
        path.write_bytes(given)
        seal = SecretKey("key").seal
        store = FileStore(path, seal)
        assert store.load() is None
        with suppress(ValueError):
            path.write_bytes(to_json({"progress": (value := from_json("it", given)), "seal": seal(to_json(value))}))
        read = Progress.from_dict("d" * 64, store.load())
        # The ledger drops what is beyond its plan.
        if read.next <= 1_000_000:
            store.save(read.to_dict())


@target(st.one_of(drawn.states.map(drawn.json_text).map(str.encode), st.binary(max_size=40)))
def state(given: bytes) -> None:
    """A state: how far a group is done, or a ValueError."""
    resolved = _POLICIES[0].resolve(NOW, NOW)
    assert isinstance(resolved, RetentionPolicy)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name, suppress(ValueError):
        folder = Path(name) / str(SDKAPPID)
        folder.mkdir()
        for bucket in range(256):
            if bucket == 0x95 or bucket == hashlib.sha256(b"room").digest()[0]:
                (folder / f"{bucket:02x}.json").write_bytes(given)
        kept = State(Path(name), SDKAPPID, resolved)
        assert kept.through("room", 1) >= 0
        kept.record(PlanRow(group="room", create_time=1, action="clear", through=10, messages=10))
        kept.save()


@target(
    st.tuples(
        st.one_of(drawn.history_files, st.binary(max_size=200)), st.sampled_from(["plain", "gzip", "cut", "twice"])
    )
)
def history_file(given: tuple[bytes, str]) -> None:
    """A file of messages, read, loaded into the emulator, and found where an archive was."""
    import gzip

    content, how = given
    if how != "plain":
        packed = gzip.compress(content, mtime=0)
        content = {"gzip": packed, "cut": packed[: len(packed) * 2 // 3], "twice": packed * 2}[how]
    with suppress(ValueError):
        list(islice(read_history_file(io.BytesIO(content)), 1000))
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        path = Path(name) / "00000001.gz"
        path.write_bytes(content)
        with suppress(ValueError):
            load(App(SDKAPPID, "administrator"), (path,), now=1_760_000_000.0)
        Archive(Path(name), SDKAPPID).earlier(1, "room")


@target(st.lists(drawn.ranges, max_size=4).map("\n".join))
def seq_file(given: str) -> None:
    """A file of MsgSeqs."""
    with suppress(ValueError):
        assert parse_seq_lines(io.StringIO(given)) is not None


@target(
    st.one_of(
        drawn.values.map(drawn.json_text).map(str.encode),
        st.binary(max_size=60),
        drawn.fields(
            **{
                "TLS.ver": st.just("2.0"),
                "TLS.identifier": drawn.ids,
                "TLS.sdkappid": drawn.integers,
                "TLS.time": drawn.integers,
                "TLS.expire": drawn.integers,
                "TLS.sig": drawn.texts,
            }
        )
        .map(drawn.json_text)
        .map(str.encode),
    )
)
def user_sig(given: bytes) -> None:
    """A UserSig as the emulator gets it."""
    import base64
    import zlib

    from airflow_provider_tencentim.emulator.answers import RefusalError
    from airflow_provider_tencentim.emulator.assumptions import Assumptions

    table = str.maketrans("+/=", "*-_")
    packed = base64.b64encode(zlib.compress(given)).decode().translate(table)
    for text in (packed, given.decode("latin-1")):
        with suppress(ValueError):
            usersig.decode(text)
        with suppress(RefusalError):
            usersig.Verifier(SDKAPPID, "key").verify(text, "administrator", 1e9, Assumptions())
