"""MsgBody and CloudCustomData: the message format, and each service's codes for its breaches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_tencentim.emulator.answers import RefusalError
from airflow_provider_tencentim.emulator.assumptions import Assumptions
from airflow_provider_tencentim.emulator.fields import Fields


@dataclass(frozen=True, slots=True)
class FormatCodes:
    """The ErrorCodes with which a service refuses a message."""

    not_array: int
    element: int
    content: int
    custom_data: int


OPENIM = FormatCodes(not_array=90007, element=90002, content=90010, custom_data=90010)
GROUP = FormatCodes(not_array=10004, element=10004, content=10004, custom_data=10004)

# Far more than any element has; what is stored must be readable again.
_DEEPEST = 64

_TEXT = (str,)
_INT = (int,)
_NUMBER = (int, float)
_LIST = (list,)

# MsgContent by MsgType: the JSON types of the fields that the format page names.
_CONTENT_TYPES: dict[str, dict[str, tuple[type, ...]]] = {
    "TIMTextElem": {"Text": _TEXT},
    "TIMLocationElem": {"Desc": _TEXT, "Latitude": _NUMBER, "Longitude": _NUMBER},
    "TIMFaceElem": {"Index": _INT, "Data": _TEXT},
    "TIMCustomElem": {"Data": _TEXT, "Desc": _TEXT, "Ext": _TEXT, "Sound": _TEXT},
    "TIMSoundElem": {"Url": _TEXT, "UUID": _TEXT, "Size": _INT, "Second": _INT, "Download_Flag": _INT},
    "TIMImageElem": {"UUID": _TEXT, "ImageFormat": _INT, "ImageInfoArray": _LIST},
    "TIMFileElem": {"Url": _TEXT, "UUID": _TEXT, "FileSize": _INT, "FileName": _TEXT, "Download_Flag": _INT},
    "TIMVideoFileElem": {
        **dict.fromkeys(("VideoUrl", "VideoUUID", "VideoFormat", "ThumbUrl", "ThumbUUID", "ThumbFormat"), _TEXT),
        **dict.fromkeys(("VideoSize", "VideoSecond", "VideoDownloadFlag"), _INT),
        **dict.fromkeys(("ThumbSize", "ThumbWidth", "ThumbHeight", "ThumbDownloadFlag"), _INT),
    },
    "TIMRelayElem": {"Title": _TEXT, "MsgNum": _INT, "CompatibleText": _TEXT, "JsonMsgKey": _TEXT},
}
_IMAGE_INFO = {"Type": _INT, "Size": _INT, "Width": _INT, "Height": _INT, "URL": _TEXT}

# What a REST sender must give; None where any value will do, else the one value allowed.
_REQUIRED: dict[str, dict[str, object]] = {"TIMTextElem": {"Text": None}}
_REQUIRED_OF_MEDIA: dict[str, dict[str, object]] = {
    "TIMSoundElem": {"Url": None, "UUID": None, "Download_Flag": 2},
    "TIMImageElem": {"UUID": None, "ImageInfoArray": None},
    "TIMFileElem": {"Url": None, "UUID": None, "Download_Flag": 2},
    "TIMVideoFileElem": {
        **dict.fromkeys(("VideoUrl", "VideoUUID", "ThumbUrl", "ThumbUUID", "ThumbWidth", "ThumbHeight")),
        "VideoDownloadFlag": 2,
        "ThumbDownloadFlag": 2,
    },
}
_REQUIRED_OF_IMAGES: dict[str, object] = {"URL": None, "Width": None, "Height": None}


def compact(value: object) -> bytes:
    """Return a value as compact JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def read_message(
    fields: Fields, codes: FormatCodes, assume: Assumptions, *, required: bool = True
) -> tuple[list[Any] | None, str | None]:
    """Return the MsgBody and the CloudCustomData of a request, each None when it is absent.

    :param fields: the request, or the item of one.
    :param codes: how its service refuses.
    :param assume: limits and leniencies.
    :param required: whether the MsgBody must be there.
    """
    body = custom = None
    if required or "MsgBody" in fields:
        body = fields.array("MsgBody", code=codes.not_array)
        _check_body(body, codes, assume)
    if "CloudCustomData" in fields:
        custom = fields.text("CloudCustomData", code=codes.custom_data)
    _check_size(body, custom, codes, assume)
    return body, custom


def _check_size(body: list[Any] | None, custom: str | None, codes: FormatCodes, assume: Assumptions) -> None:
    parts = {"MsgBody": body, "CloudCustomData": custom if assume.message_size_counts == "together" else None}
    size = len(compact({name: part for name, part in parts.items() if part is not None}))
    if size > assume.message_size_limit:
        raise RefusalError(assume.openim_too_long_code if codes is OPENIM else assume.group_too_long_code)


def _check_body(body: list[Any], codes: FormatCodes, assume: Assumptions) -> None:
    if not body:
        raise RefusalError(codes.element, "invalid request: MsgBody is empty")
    if is_too_deep(body):
        raise RefusalError(codes.element, "invalid request: MsgBody is nested too deeply")
    for element in body:
        if not _is_element(element):
            raise RefusalError(codes.element, "invalid request: an element of MsgBody")
        if not _is_content(element["MsgType"], element["MsgContent"], assume):
            raise RefusalError(codes.content, "invalid request: MsgType or MsgContent")
    if sum(element["MsgType"] == "TIMCustomElem" for element in body) > 1:
        raise RefusalError(codes.content, "invalid request: more than one TIMCustomElem")


def is_too_deep(body: object) -> bool:
    """Tell whether a MsgBody is nested more deeply than can be relied on to be read again."""
    return _is_deeper(body, _DEEPEST)


def _is_deeper(value: object, levels: int) -> bool:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(levels == 0 or _is_deeper(child, levels - 1) for child in children)


def _is_element(element: object) -> bool:
    return (
        isinstance(element, dict)
        and isinstance(element.get("MsgType"), str)
        and isinstance(element.get("MsgContent"), dict)
    )


def _is_content(kind: str, content: dict[str, Any], assume: Assumptions) -> bool:
    if kind not in _CONTENT_TYPES or (kind == "TIMRelayElem" and not assume.relay_elem):
        return False
    required = _REQUIRED.get(kind, {})
    if assume.media_fields_required:
        required = {**required, **_REQUIRED_OF_MEDIA.get(kind, {})}
    if not _fits(content, _CONTENT_TYPES[kind], required):
        return False
    required = _REQUIRED_OF_IMAGES if assume.media_fields_required else {}
    return all(
        isinstance(image, dict) and _fits(image, _IMAGE_INFO, required) for image in content.get("ImageInfoArray", ())
    )


def _fits(content: Mapping[str, Any], types: Mapping[str, tuple[type, ...]], required: Mapping[str, object]) -> bool:
    typed = all(type(content[name]) in kinds for name, kinds in types.items() if name in content)
    return typed and all(
        name in content and (value is None or content[name] == value) for name, value in required.items()
    )
