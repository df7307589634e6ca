"""MsgBody: what the message format asks of a sender, and how long a message may be."""

from __future__ import annotations

import json
from itertools import count

import pytest

from airflow_provider_tencentim.client.arguments import message_fields
from airflow_provider_tencentim.client.messages import CONTENT_MODELS, check_size, parse_msg_body

# The fields that a sender must give, as the message format has them.
REQUIRED = {
    "TIMTextElem": {"Text": "hello"},
    "TIMLocationElem": {"Latitude": 29.34, "Longitude": 106.54},
    "TIMFaceElem": {"Index": 1},
    "TIMSoundElem": {"Url": "https://x/1.amr", "UUID": "1", "Download_Flag": 2},
    "TIMImageElem": {
        "UUID": "1",
        "ImageInfoArray": [{"URL": "https://x/1.jpg", "Width": 1, "Height": 2}],
    },
    "TIMFileElem": {"Url": "https://x/1.pdf", "UUID": "1", "Download_Flag": 2},
    "TIMVideoFileElem": {
        "VideoUrl": "https://x/1.mp4",
        "VideoUUID": "1",
        "VideoDownloadFlag": 2,
        "ThumbUrl": "https://x/1.jpg",
        "ThumbUUID": "1",
        "ThumbWidth": 1,
        "ThumbHeight": 2,
        "ThumbDownloadFlag": 2,
    },
}

CUSTOM_FIELDS = ("Data", "Desc", "Ext", "Sound")

# Every field, as the samples of the message format have them.
FULL = {
    "TIMTextElem": {"Text": "hello world"},
    "TIMLocationElem": {"Desc": "someinfo", "Latitude": 29.340656774469956, "Longitude": 116.77497920478824},
    "TIMFaceElem": {"Index": 1, "Data": "content"},
    "TIMCustomElem": {"Data": "message", "Desc": "notification", "Ext": "url", "Sound": "dingdong.aiff"},
    "TIMSoundElem": {
        "Url": "https://1234-5678187359-1253735226.cos.ap-shanghai.myqcloud.com/abc123/c9be9d32c05bfb77b3edafa4312c6c7d",
        "UUID": "1053D4B3D61040894AC3DE44CDF28B3EC7EB7C0F",
        "Size": 62351,
        "Second": 1,
        "Download_Flag": 2,
    },
    "TIMImageElem": {
        "UUID": "1853095_D61040894AC3DE44CDF28B3EC7EB7C0F",
        "ImageFormat": 1,
        "ImageInfoArray": [
            {
                "Type": 1,
                "Size": 1853095,
                "Width": 2448,
                "Height": 3264,
                "URL": "http://xxx/3200490432214177468_144115198371610486_D61040894AC3DE44CDF28B3EC7EB7C0F/0",
            },
            {"Type": 3, "Size": 2565240, "Width": 0, "Height": 0, "URL": "http://xxx/198"},
        ],
    },
    "TIMFileElem": {
        "Url": "https://7492-5678539059-1253735326.cos.ap-shanghai.myqcloud.com/abc123/49be9d32c0fbfba7b31dafa4312c6c7d",
        "UUID": "1053D4B3D61040894AC3DE44CDF28B3EC7EB7C0F",
        "FileSize": 1773552,
        "FileName": "file:///private/var/Application/tmp/trim.B75D5F9B-1426-4913-8845-90DD46797FCD.MOV",
        "Download_Flag": 2,
    },
    "TIMVideoFileElem": {
        "VideoUrl": "https://0345-1400187352-1256635546.cos.ap-shanghai.myqcloud.com/abcd/f7c6ad3c50af7d83e23efe0a208b90c9",
        "VideoUUID": "5da38ba89d6521011e1f6f3fd6692e35",
        "VideoSize": 1194603,
        "VideoSecond": 5,
        "VideoFormat": "mp4",
        "VideoDownloadFlag": 2,
        "ThumbUrl": "https://0345-1400187352-1256635546.cos.ap-shanghai.myqcloud.com/abcd/a6c170c9c599280cb06e0523d7a1f37b",
        "ThumbUUID": "6edaffedef5150684510cf97957b7bc8",
        "ThumbSize": 13907,
        "ThumbWidth": 720,
        "ThumbHeight": 1280,
        "ThumbFormat": "JPG",
        "ThumbDownloadFlag": 2,
    },
}

WRONG_TYPES = [
    ("TIMTextElem", "Text", [7, None, b"x", ["x"], True, "", " \n"]),
    ("TIMLocationElem", "Desc", [7, None]),
    ("TIMLocationElem", "Latitude", ["29.34", None, True, float("nan"), float("inf")]),
    ("TIMFaceElem", "Index", ["1", 1.0, 1.5, True, None]),
    ("TIMFaceElem", "Data", [7, None]),
    ("TIMCustomElem", "Data", [7, {"a": 1}, ["x"]]),
    ("TIMCustomElem", "Ext", [7, True]),
    ("TIMSoundElem", "Url", [7, None]),
    ("TIMSoundElem", "Download_Flag", [1, 0, "2", None]),
    ("TIMSoundElem", "Size", ["7", 1.5]),
    ("TIMImageElem", "UUID", [7]),
    ("TIMImageElem", "ImageFormat", ["1"]),
    ("TIMImageElem", "ImageInfoArray", [[], {}, None, "x", [None], [{}]]),
    ("TIMFileElem", "FileSize", ["7"]),
    ("TIMFileElem", "FileName", [7]),
    ("TIMVideoFileElem", "ThumbWidth", ["1", 1.5]),
    ("TIMVideoFileElem", "VideoDownloadFlag", [1, "2"]),
]


def element(msg_type, content):
    return {"MsgType": msg_type, "MsgContent": content}


def message(size):
    """A MsgBody whose field ``MsgBody`` takes so many bytes of compact JSON."""
    frame = len('{"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":""}}]}')
    return [element("TIMTextElem", {"Text": "x" * (size - frame)})]


@pytest.mark.parametrize("msg_type", REQUIRED)
def test_the_required_fields_of_an_element_are_enough(msg_type):
    body = [element(msg_type, REQUIRED[msg_type])]

    assert parse_msg_body(body) == body


@pytest.mark.parametrize("field", CUSTOM_FIELDS)
def test_a_custom_element_needs_one_of_its_fields(field):
    body = [element("TIMCustomElem", {field: "x"})]

    assert parse_msg_body(body) == body
    with pytest.raises(ValueError, match="Data, Desc, Ext, Sound"):
        parse_msg_body([element("TIMCustomElem", {})])


@pytest.mark.parametrize("msg_type", FULL)
def test_the_samples_of_the_message_format_pass_as_they_are(msg_type):
    body = [element(msg_type, FULL[msg_type])]

    assert parse_msg_body(body) == body
    assert parse_msg_body(json.dumps(body)) == body


@pytest.mark.parametrize(
    ("msg_type", "field"), [(msg_type, field) for msg_type, content in REQUIRED.items() for field in content]
)
def test_a_required_field_that_is_missing_is_named(msg_type, field):
    content = {name: value for name, value in REQUIRED[msg_type].items() if name != field}

    with pytest.raises(ValueError, match=rf"element 1 \({msg_type}\): {field}: "):
        parse_msg_body([element("TIMTextElem", {"Text": "x"}), element(msg_type, content)])


@pytest.mark.parametrize("field", ["URL", "Width", "Height"])
def test_a_field_that_is_missing_of_an_image_is_named(field):
    image = {name: value for name, value in FULL["TIMImageElem"]["ImageInfoArray"][0].items() if name != field}

    with pytest.raises(ValueError, match=rf"ImageInfoArray\.0\.{field}: "):
        parse_msg_body([element("TIMImageElem", {"UUID": "1", "ImageInfoArray": [image]})])


@pytest.mark.parametrize(
    ("msg_type", "field", "value"),
    [(msg_type, field, value) for msg_type, field, values in WRONG_TYPES for value in values],
)
def test_a_field_of_a_wrong_type_is_named(msg_type, field, value):
    with pytest.raises(ValueError, match=f"{msg_type}.*{field}"):
        parse_msg_body([element(msg_type, {**FULL[msg_type], field: value})])


def test_a_whole_number_is_a_number_too():
    parse_msg_body([element("TIMLocationElem", {"Latitude": 29, "Longitude": -116})])


def test_several_elements_may_stand_in_one_message():
    body = [element(msg_type, content) for msg_type, content in FULL.items()]

    assert parse_msg_body(body) == body
    assert parse_msg_body(tuple(body)) == body


def test_two_custom_elements_may_not():
    custom = element("TIMCustomElem", {"Data": "x"})

    with pytest.raises(ValueError, match="more than one TIMCustomElem"):
        parse_msg_body([custom, element("TIMTextElem", {"Text": "x"}), custom])


@pytest.mark.parametrize("text", ["hello", " hello ", "早上好", "x [1]", '"[1]"', "1", "null", "(x)", "\\[", "a\nb"])
def test_other_text_is_one_text_element_as_it_is(text):
    assert parse_msg_body(text) == [element("TIMTextElem", {"Text": text})]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "Text"),
        (" \n\t", "Text"),
        ("[", "begins like JSON"),
        ("[hello]", "begins like JSON"),
        (" {hello", "begins like JSON"),
        ("{}", "not dict"),
        ("[]", "empty list"),
        ([], "empty list"),
        ((), "empty list"),
        ("[1]", "element 0"),
        ('["x"]', "element 0"),
        (["x"], "element 0"),
        ([None], "element 0"),
        ([[]], "element 0"),
        ([{}], "element 0"),
        ([{"MsgType": "TIMTextElem"}], "element 0"),
        ([{"MsgContent": {"Text": "x"}}], "element 0"),
        ([{"MsgType": "TIMTextElem", "MsgContent": {"Text": "x"}, "Extra": 1}], "element 0"),
        ([{"msgType": "TIMTextElem", "msgContent": {"Text": "x"}}], "element 0"),
        ([element("timtextelem", {"Text": "x"})], "unknown MsgType"),
        ([element("TIMRelayElem", {})], "unknown MsgType"),
        ([element(None, {})], "unknown MsgType"),
        ([element(["TIMTextElem"], {})], "unknown MsgType"),
        ([element("TIMTextElem", None)], "TIMTextElem"),
        ([element("TIMTextElem", "x")], "TIMTextElem"),
        ([element("TIMTextElem", ["x"])], "TIMTextElem"),
        (7, "not int"),
        (None, "not NoneType"),
        ({"MsgType": "x"}, "not dict"),
        (b"x", "not bytes"),
        ("[" * 100_000, "begins like JSON"),
    ],
    ids=lambda value: ascii(value)[:40].replace("\\", "/"),
)
def test_what_is_no_message_is_refused_and_the_place_is_named(value, said):
    with pytest.raises(ValueError, match=said):
        parse_msg_body(value)


NOT_AN_ELEMENT = 'is not {"MsgType": …, "MsgContent": …}'
NO_TYPE = f"has an unknown MsgType; known are {', '.join(CONTENT_MODELS)}"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (7, "must be text or a list of message elements, not int"),
        ([], "is an empty list"),
        ("[", "begins like JSON and is none; other text must not begin with [ or {"),
        ([element("TIMCustomElem", {"Data": "x"})] * 2, "holds more than one TIMCustomElem"),
        ([1], f"element 0 {NOT_AN_ELEMENT}"),
        ([element("TIMTextElem", {"Text": "x"}), {}], f"element 1 {NOT_AN_ELEMENT}"),
        ([element("x", {})], f"element 0 {NO_TYPE}"),
        ([element(["x"], {})], f"element 0 {NO_TYPE}"),
        ([element("TIMTextElem", {})], "element 0 (TIMTextElem): Text: Field required"),
        (
            [element("TIMLocationElem", {})],
            "element 0 (TIMLocationElem): Latitude: Field required; Longitude: Field required",
        ),
        (
            [element("TIMImageElem", {"UUID": "x", "ImageInfoArray": [{"Width": 1, "Height": 1}]})],
            "element 0 (TIMImageElem): ImageInfoArray.0.URL: Field required",
        ),
    ],
    ids=map(str, count()),
)
def test_a_refusal_is_said_in_these_words(value, words):
    with pytest.raises(ValueError, match=r".") as caught:
        parse_msg_body(value)

    assert str(caught.value) == words


def test_content_that_is_no_object_is_named_as_a_whole():
    with pytest.raises(ValueError, match=r"^element 0 \(TIMTextElem\): MsgContent: Input should be "):
        parse_msg_body([element("TIMTextElem", 7)])


SECRET = "privatewords"


@pytest.mark.parametrize(
    "value",
    [
        f"[{SECRET}",
        f'{{"{SECRET}": 1}}',
        [SECRET],
        [{"MsgType": "TIMTextElem", SECRET: 1}],
        [element(SECRET, {"Text": "x"})],
        [element("TIMTextElem", SECRET)],
        [element("TIMTextElem", {"text": SECRET})],
        [element("TIMTextElem", {"Text": [SECRET]})],
        [element("TIMTextElem", {SECRET: 1})],
        [element("TIMFaceElem", {"Index": SECRET, "Data": SECRET})],
        [element("TIMSoundElem", {**REQUIRED["TIMSoundElem"], "Download_Flag": SECRET})],
        [element("TIMImageElem", {"UUID": SECRET, "ImageInfoArray": [{"URL": [SECRET]}]})],
        [element("TIMCustomElem", {"Data": {SECRET: SECRET}})],
        SECRET * 2000,
        [element("TIMTextElem", {"Text": SECRET, "Extra": {1, 2}})],
        [element("TIMTextElem", {"Text": SECRET, "Extra": float("nan")})],
        SECRET + "\ud800",
    ],
    ids=lambda value: ascii(value)[:40].replace("\\", "/"),
)
def test_no_error_holds_content(value):
    with pytest.raises(ValueError, match="msg_body") as caught:
        message_fields(value, None)

    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__


# --- size ---


def test_a_message_of_12288_bytes_fits_and_one_of_12289_does_not():
    assert message_fields(message(12_288), None)["MsgBody"]
    with pytest.raises(ValueError, match=r"^msg_body is 12289 bytes of compact JSON, 12288 are allowed$"):
        message_fields(message(12_289), None)


def test_custom_data_of_12288_bytes_fits_and_of_12289_does_not():
    frame = len('{"CloudCustomData":""}')

    assert message_fields(None, "x" * (12_288 - frame))["CloudCustomData"]
    with pytest.raises(ValueError, match=r"^cloud_custom_data is 12289 bytes"):
        message_fields(None, "x" * (12_289 - frame))


def test_both_fields_count_together():
    frame = len(',"CloudCustomData":""')
    body = message(12_000)

    assert message_fields(body, "x" * (288 - frame))["MsgBody"] == body
    with pytest.raises(ValueError, match=r"^msg_body and cloud_custom_data is 12289 bytes"):
        message_fields(body, "x" * (289 - frame))


@pytest.mark.parametrize(("char", "size"), [("x", 1), ("é", 2), ("字", 3), ("🎉", 4), ('"', 2), ("\n", 2), ("\x00", 6)])
def test_characters_count_as_the_bytes_that_are_sent(char, size):
    frame = len('{"CloudCustomData":"x"}')
    count = (12_288 - frame) // size
    rest = (12_288 - frame) % size

    assert message_fields(None, "x" + char * count + "x" * rest)
    with pytest.raises(ValueError, match="12289 bytes"):
        message_fields(None, "x" + char * count + "x" * (rest + 1))


@pytest.mark.parametrize(
    "value", [object(), {1}, float("inf"), "\ud800", b"x"], ids=["object", "set", "inf", "surrogate", "bytes"]
)
def test_what_cannot_be_written_as_json_is_refused(value):
    with pytest.raises(ValueError, match=r"^msg_body cannot be written as JSON in UTF-8 \([A-Z][A-Za-z]+Error\)$"):
        check_size({"MsgBody": [value]})


# --- fields ---


def test_at_least_one_field_must_be_given():
    with pytest.raises(ValueError, match="msg_body or cloud_custom_data"):
        message_fields(None, None)


@pytest.mark.parametrize("value", ["", "  ", 7, {"a": 1}, ["x"], b"x", True])
def test_custom_data_is_text(value):
    with pytest.raises(ValueError, match="cloud_custom_data"):
        message_fields("hello", value)


def test_only_what_is_given_is_sent():
    assert set(message_fields("x", None)) == {"MsgBody"}
    assert set(message_fields(None, "x")) == {"CloudCustomData"}
    assert set(message_fields("x", "x")) == {"MsgBody", "CloudCustomData"}


def test_what_was_given_is_not_changed_and_not_shared():
    body = [element("TIMTextElem", {"Text": "x"})]

    parsed = parse_msg_body(body)
    parsed[0]["MsgType"] = "changed"

    assert body == [element("TIMTextElem", {"Text": "x"})]
