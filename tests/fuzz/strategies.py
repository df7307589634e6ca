"""What may come from outside, as hypothesis draws it: almost right, so that it gets past the first check."""

from __future__ import annotations

import json

from hypothesis import strategies as st

MIB = 1024 * 1024
HUGE = [2**31, 2**32 - 1, 2**32, 2**53, 2**63, 10**18, 10**100, 10**400, -1, -(10**400)]

odd_texts = st.sampled_from(
    [
        "",
        " ",
        "\ud800",
        "x\udfffy",
        "\x00",
        "a\nb",
        "None",
        "[]",
        "\ufeff",
        "ｅ",
        "1e400",
        "x" * 5000,
        "@TGS#",
        "*",
        "[z-a]",
    ]
)
texts = st.one_of(st.text(max_size=12), odd_texts)
ids = st.one_of(st.sampled_from(["room", "alice", "bob", "@TGS#1", "@TGS#_c@TOPIC#_1"]), texts)
integers = st.one_of(st.integers(0, 100), st.integers(-5, 2**33), st.sampled_from(HUGE))
floats = st.floats()
scalars = st.one_of(st.none(), st.booleans(), integers, floats, texts)


def deep(depth: int) -> object:
    """Return lists in lists."""
    value: object = []
    for _ in range(depth):
        value = [value]
    return value


def opaque(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Return a strategy that shows nothing of what it is made of: hypothesis would write out megabytes of it."""

    @st.composite
    def drawn(draw: st.DrawFn) -> object:
        return draw(strategy)

    return drawn()


#: Anything that JSON can hold, and what Python's JSON holds besides.
values = opaque(
    st.one_of(
        st.recursive(
            scalars,
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
            max_leaves=8,
        ),
        st.sampled_from([50, 300, 480, 900]).map(deep),
    )
)


def fields(**known: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    """Return objects of these fields: some left out, some of another type, and now and then one more."""
    spoiled = {name: st.one_of(value, value, value, value, values) for name, value in known.items()}
    whole = st.fixed_dictionaries(known)
    partly = st.fixed_dictionaries({}, optional=spoiled)
    return opaque(st.one_of(whole, partly, st.fixed_dictionaries(spoiled, optional={"extra": values})))


def json_text(value: object) -> str:
    """Return a value as JSON, with NaN and halves of pairs, as careless servers write it; deep ones included."""
    try:
        return json.dumps(value, default=str)
    except RecursionError:
        return "[" * 900 + "]" * 900


times = st.one_of(st.integers(1_600_000_000, 1_800_000_000), integers)
seqs = st.one_of(st.integers(1, 60), integers)
bodies = st.one_of(
    st.just([{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}]),
    st.lists(
        fields(
            MsgType=st.sampled_from(["TIMTextElem", "TIMCustomElem", "TIMFaceElem"]),
            MsgContent=fields(Text=texts, Data=texts, Index=integers),
        ),
        max_size=3,
    ),
    values,
)
group_messages = fields(
    MsgSeq=seqs,
    MsgTimeStamp=times,
    MsgBody=bodies,
    From_Account=ids,
    IsPlaceMsg=st.integers(0, 3),
    MsgRandom=integers,
    IsSystemMsg=st.integers(0, 1),
    CloudCustomData=texts,
)
keys = st.one_of(st.tuples(*[st.integers(0, 2**32)] * 3).map(lambda parts: "_".join(map(str, parts))), texts)
letters = fields(
    MsgKey=keys,
    From_Account=st.sampled_from(["alice", "bob"]),
    To_Account=st.sampled_from(["alice", "bob"]),
    MsgTimeStamp=times,
    MsgFlagBits=st.sampled_from([0, 8]),
    MsgBody=bodies,
    CloudCustomData=texts,
)
infos = fields(
    GroupId=st.sampled_from(["room", "@TGS#1"]),
    ErrorCode=st.sampled_from([0, 0, 0, 10010, 10002, 10**300]),
    ErrorInfo=values,
    Type=st.sampled_from(["Public", "Work", "AVChatRoom", "Community"]),
    CreateTime=times,
    NextMsgSeq=seqs,
    LastMsgTime=times,
    Name=texts,
    MemberNum=integers,
)
codes = st.sampled_from([0] * 12 + [10010, 10030, 10002, 60008, 70001, 70003, 20023, 1004, 10**300, -1])
answers = fields(
    ErrorCode=codes,
    ActionStatus=st.sampled_from(["OK", "OK", "OK", "FAIL"]),
    ErrorInfo=st.one_of(texts, values),
    GroupInfo=st.lists(infos, max_size=3),
    RspMsgList=st.lists(group_messages, max_size=5),
    IsFinished=st.integers(0, 2),
    RecallRetList=st.lists(fields(MsgSeq=seqs, RetCode=st.sampled_from([0, 10030, 10031, 10032, 10**300])), max_size=6),
    MsgList=st.lists(letters, max_size=4),
    Complete=st.integers(0, 1),
    LastMsgTime=times,
    LastMsgKey=keys,
    MsgCnt=integers,
    GroupIdList=st.lists(fields(GroupId=ids), max_size=4),
    TotalCount=integers,
    Next=integers,
    SessionItem=st.lists(fields(Type=st.sampled_from([1, 2]), To_Account=ids, GroupId=ids), max_size=3),
    CompleteFlag=st.integers(0, 1),
    TimeStamp=integers,
    StartIndex=integers,
    TopTimeStamp=integers,
    TopStartIndex=integers,
    ResultItem=values,
).map(lambda answer: {"ErrorCode": 0, **answer})
#: The bytes of an answer: JSON mostly, spoiled at times.
answer_bytes = st.one_of(
    answers.map(lambda value: json_text(value).encode()),
    answers.map(lambda value: json_text(value).encode()),
    st.binary(max_size=200),
    st.tuples(answers, st.integers(0, 400), st.binary(min_size=1, max_size=3)).map(
        lambda one: json_text(one[0]).encode()[: one[1]] + one[2] + json_text(one[0]).encode()[one[1] :]
    ),
)
#: Whole HTTP answers.
header_lines = st.sampled_from(
    [
        b"Content-Length: %d",
        b"Content-Length: -1",
        b"Content-Length: 1,2",
        b"Content-Length: x",
        b"Transfer-Encoding: chunked",
        b"Content-Encoding: gzip",
        b"Content-Encoding: br, deflate",
        b"Location: http://[",
        b"Location: \xff",
        b"Set-Cookie: a=b; Expires=x",
        b"Set-Cookie: =",
        b"Connection: close",
        b"Content-Type: a; charset=\xff",
        b" folded",
        b":",
        b"\x00",
        b"Content-Length: 99999999999999999999",
    ]
)
http_answers = st.tuples(
    st.sampled_from(
        [
            b"HTTP/1.1 200 OK",
            b"HTTP/1.0 200",
            b"HTTP/1.1 302 x",
            b"HTTP/1.1 100 Continue",
            b"HTTP/1.1 204 x",
            b"HTTP/1.1 99999999999 x",
            b"HTTP/9.9 200 OK",
            b"",
            b"HTTP/1.1 -1 x",
            b"HTTP/1.1 304 x",
            b"ICY 200 OK",
        ]
    ),
    st.lists(header_lines, max_size=4),
    st.one_of(
        answer_bytes,
        st.sampled_from(
            [
                b"5\r\nhello\r\n0\r\n\r\n",
                b"-1\r\n",
                b"ffffffffffffffffff\r\n",
                b"0x5\r\nhello\r\n0\r\n\r\n",
                b"0\r\nX: y\r\n\r\n",
                b"_1\r\n",
            ]
        ),
    ),
).map(lambda one: b"\r\n".join([one[0], *(line.replace(b"%d", b"%d" % len(one[2])) for line in one[1]), b"", one[2]]))

ranges = st.one_of(
    st.sampled_from(
        [
            "1",
            "1-500, 777",
            "1-4294967295",
            "4294967295",
            "0",
            "5-1",
            "1-4294967296",
            "1,,2",
            ",",
            "-",
            "1-",
            "٣",
            "1" * 5000,
            "1-2-3",
            "1 -\t2",
        ]
    ),
    st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, 300)).map(lambda ends: f"{min(ends)}-{max(ends)}"), max_size=5
    ).map(", ".join),
    texts,
)
globs = st.one_of(
    ids,
    st.sampled_from(
        [
            "*",
            "a*b*c*d",
            "[!a",
            "[]",
            "[a-",
            "[z-a]*",
            "[[:alpha:]]",
            "[--/]*",
            "(?P<x>*",
            "\\*",
            "x" * 1100,
            "*" * 1100,
        ]
    ),
)
moments = st.one_of(
    st.sampled_from(
        [
            "2026-01-31",
            "2026-13-45",
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59-23:59",
            "20260131T080000Z",
            "2026-01-31T24:00",
            "2026-01-31T08:00:00,123456789Z",
        ]
    ),
    st.datetimes(),
    st.dates(),
    values,
)
ages = st.one_of(
    st.sampled_from(
        [
            "P60D",
            "P999999999Y",
            "PT999999999H999999999M",
            "P0D",
            "P",
            "P1Y2M3W4DT5H6M7.5S",
            "-P1D",
            "P٣D",
            "PT0.000001S",
        ]
    ),
    st.timedeltas(),
    values,
)
expressions = st.one_of(
    st.sampled_from(
        [
            "secret",
            "(",
            "(a{1000}){1000}",
            "\\p{Greek}",
            "(?=x)",
            "(a*)*b",
            "[[:bogus:]]",
            "\\C",
            "x{0}",
            "(?i)ß",
            "\ud800",
            "(" * 2000 + ")" * 2000,
        ]
    ),
    texts,
)
replacements = st.one_of(st.just("removed"), fields(msg_body=bodies, cloud_custom_data=texts), bodies)
policy_keys = {
    "action": st.sampled_from(["clear", "recall", "redact", "redact_and_recall"]),
    "before": moments,
    "older_than": ages,
    "groups": st.one_of(st.lists(globs, max_size=3), globs),
    "all_groups": st.sampled_from([True, "true"]),
    "group_types": st.lists(st.sampled_from(["Public", "Work", "x"]), max_size=2),
    "exclude_groups": st.lists(globs, max_size=3),
    "hold_path": texts,
    "keep_last": integers,
    "from_accounts": st.lists(ids, max_size=2),
    "text_matches": st.lists(expressions, max_size=2),
    "replacement": replacements,
    "allow_recent": st.booleans(),
    "pairs": st.lists(st.lists(ids, min_size=2, max_size=2), max_size=2),
    "accounts": st.lists(ids, max_size=2),
    "exclude_accounts": st.lists(globs, max_size=2),
}
policy_keys = {name: opaque(one) for name, one in policy_keys.items()}
_spoiled_keys = {name: opaque(st.one_of(one, one, one, values)) for name, one in policy_keys.items()}
_minimal = st.fixed_dictionaries(
    {"action": policy_keys["action"], "older_than": st.just("P60D"), "groups": st.just(["*"])},
    optional={
        name: _spoiled_keys[name]
        for name in ("exclude_groups", "keep_last", "from_accounts", "text_matches", "replacement", "group_types")
    }
    | {
        "overrides": st.one_of(
            values,
            st.lists(
                st.fixed_dictionaries(
                    {"groups": policy_keys["groups"]},
                    optional={name: one for name, one in _spoiled_keys.items() if name != "groups"},
                ),
                max_size=2,
            ),
        )
    },
)
_minimal_c2c = st.fixed_dictionaries(
    {"action": st.sampled_from(["recall", "redact"]), "before": st.just("2026-01-01"), "pairs": policy_keys["pairs"]},
    optional={
        name: _spoiled_keys[name]
        for name in ("exclude_accounts", "keep_last", "from_accounts", "text_matches", "replacement")
    },
)
policies = st.one_of(
    _minimal,
    _minimal_c2c,
    st.fixed_dictionaries({}, optional=_spoiled_keys),
    st.dictionaries(st.one_of(texts, integers), values, max_size=3),
    values,
)
yaml_texts = st.one_of(
    policies.map(json_text),
    st.text(max_size=200),
    st.lists(
        st.sampled_from(
            [
                "a: ",
                "- ",
                "[",
                "]",
                "{",
                "}",
                "&x ",
                "*x",
                "!!python/object:os.system ",
                "!!timestamp ",
                "2026-99-99",
                "? ",
                "|",
                ">",
                "\n",
                "  ",
                "'",
                '"',
                "\\x",
                "<<: ",
                "!!set ",
                "!!omap ",
                "!!binary ",
                "=",
                "0o9",
                "1:99:99",
                ".nan",
                "%YAML 9.9\n",
                "---",
                "...",
                "\t",
                "\x85",
                "\ud800",
            ]
        ),
        max_size=30,
    ).map("".join),
)

connection_extras = st.one_of(
    fields(
        region=st.sampled_from(["china", "singapore", "x"]),
        admin_identifier=ids,
        usersig_ttl=integers,
        timeout=st.one_of(integers, floats, texts),
        calls_per_second=st.one_of(integers, floats, texts),
        rate_limit_store=st.sampled_from(["machine", "process", "", "x"]),
        ca_bundle=texts,
        allowed_commands=st.one_of(st.just("read"), texts, st.lists(texts, max_size=2)),
    ).map(json_text),
    st.dictionaries(
        st.sampled_from(
            [
                "region",
                "timeout",
                "usersig_ttl",
                "calls_per_second",
                "ca_bundle",
                "allowed_commands",
                "admin_identifier",
            ]
        ),
        values,
        max_size=3,
    ).map(json_text),
    st.text(max_size=60),
    st.sampled_from(
        [
            "[" * 100_000,
            '{"timeout": ' + "9" * 5000 + "}",
            '{"timeout": NaN}',
            '{"timeout": 1e999}',
            '{"timeout": 1' + "0" * 400 + "}",
        ]
    ),
)
hosts = st.one_of(
    st.none(),
    texts,
    st.sampled_from(
        [
            "https://[",
            "http://127.0.0.1",
            "https://a:b@c",
            "x:99999",
            "[::1]",
            "https://x:" + "9" * 5000,
            "ⅷ.com",
            "a\x00b",
        ]
    ),
    st.text(alphabet="ahtps:/[].@#?%0\\", max_size=20),
)

plan_rows = st.one_of(
    fields(
        group=ids,
        type=st.just("Public"),
        create_time=times,
        action=st.sampled_from(["recall", "redact", "clear"]),
        through=seqs,
        lower=st.integers(0, 3),
        ranges=ranges,
        messages=integers,
        oldest=times,
        newest=times,
    ),
    fields(
        pair=st.lists(ids, min_size=2, max_size=2),
        action=st.sampled_from(["recall", "redact", "clear"]),
        keys=st.dictionaries(ids, st.lists(keys, max_size=3), max_size=2),
        messages=integers,
    ),
    fields(group=ids, skip=texts),
    values,
)
headers = fields(
    chat=st.sampled_from(["group", "c2c"]),
    sdkappid=integers,
    base_url=texts,
    policy=policies,
    cut_off=texts,
    created=times,
    run=st.dictionaries(texts, texts, max_size=2),
    shard=texts,
    holds=st.booleans(),
    incremental=st.booleans(),
    groups=integers,
    messages=integers,
    skipped=st.dictionaries(texts, integers, max_size=2),
    parts=st.lists(st.tuples(integers, st.sampled_from(["0" * 64, "x"])).map(list), max_size=2),
    format=st.just(1),
)
counts = st.fixed_dictionaries(
    {
        name: st.one_of(st.integers(0, 9), integers)
        for name in ("requested", "done", "already", "missing", "failed", "calls")
    }
)
progress = fields(
    digest=st.just("d" * 64),
    next=integers,
    failed=ranges,
    reports=integers,
    manifests=integers,
    totals=counts,
    skipped=st.dictionaries(texts, integers, max_size=2),
)
states = st.dictionaries(
    st.one_of(st.just("room"), ids),
    st.one_of(values, st.dictionaries(texts, st.lists(integers, min_size=2, max_size=2), max_size=2)),
    max_size=3,
)

history_lines = st.one_of(
    fields(
        GroupId=ids,
        From_Account=ids,
        MsgSeq=seqs,
        MsgRandom=integers,
        MsgTimestamp=times,
        MsgBody=bodies,
        CloudCustomData=texts,
        TopicId=ids,
    ).map(json_text),
    fields(To_Account=ids, From_Account=ids, MsgSeq=seqs, MsgRandom=integers, MsgTimestamp=times, MsgBody=bodies).map(
        json_text
    ),
    st.text(max_size=20),
    st.sampled_from(["", "]}", "{" * 2000, '{"a": 1e400}', '{"a": NaN}']),
)
history_files = st.tuples(
    fields(SdkAppId=st.just(1400000000), ChatType=st.sampled_from(["Group", "C2C"]), MsgTime=texts)
    .map(json_text)
    .map(lambda text: text[:-1] + ',"MsgList":['),
    st.lists(history_lines, max_size=4),
    st.sampled_from(["]}", "]}\n", "", "]}\n\n\n", "]}x"]),
    st.sampled_from([",\n", "\n", ",\r\n"]),
).map(lambda one: "\n".join([one[0], one[3].join([*one[1], one[2]])]).encode(errors="surrogatepass"))
