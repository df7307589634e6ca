"""MsgBody: the message format, as far as the documents state it (document 269/2720).

The models hold the fields that a REST sender must give, with their types, which the server takes strictly.
Fields that they do not name pass as they are: newer clients add some.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

# "12 KB" on the endpoint pages. Whether CloudCustomData counts is not documented: it does here.
MAX_MESSAGE_BYTES = 12_288

MsgBody = list[dict[str, Any]]


class _Content(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class TextContent(_Content):
    Text: Annotated[str, Field(pattern=r"\S")]  # a blank text is a template that rendered to nothing


class LocationContent(_Content):
    Desc: str = ""
    Latitude: float
    Longitude: float


class FaceContent(_Content):
    Index: int
    Data: str = ""


class CustomContent(_Content):
    Data: str | None = None
    Desc: str | None = None
    Ext: str | None = None
    Sound: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> CustomContent:
        if not any(field is not None for field in (self.Data, self.Desc, self.Ext, self.Sound)):
            raise ValueError("one of Data, Desc, Ext, Sound is required")
        return self


class SoundContent(_Content):
    Url: str
    UUID: str
    Download_Flag: Literal[2]
    Size: int = 0
    Second: int = 0


class ImageInfo(_Content):
    URL: str
    Width: int
    Height: int
    Type: int = 1
    Size: int = 0


class ImageContent(_Content):
    UUID: str
    ImageFormat: int = 255
    ImageInfoArray: Annotated[list[ImageInfo], Field(min_length=1)]


class FileContent(_Content):
    Url: str
    UUID: str
    Download_Flag: Literal[2]
    FileSize: int = 0
    FileName: str = ""


class VideoContent(_Content):
    VideoUrl: str
    VideoUUID: str
    VideoDownloadFlag: Literal[2]
    ThumbUrl: str
    ThumbUUID: str
    ThumbWidth: int
    ThumbHeight: int
    ThumbDownloadFlag: Literal[2]


CONTENT_MODELS: dict[str, type[_Content]] = {
    "TIMTextElem": TextContent,
    "TIMLocationElem": LocationContent,
    "TIMFaceElem": FaceContent,
    "TIMCustomElem": CustomContent,
    "TIMSoundElem": SoundContent,
    "TIMImageElem": ImageContent,
    "TIMFileElem": FileContent,
    "TIMVideoFileElem": VideoContent,
}

_CONTENTS = {name: TypeAdapter(model) for name, model in CONTENT_MODELS.items()}


def parse_msg_body(value: object) -> MsgBody:
    """Return the MsgBody that a text or a list stands for.

    :param value: a list of ``{"MsgType", "MsgContent"}``; or text, which is such a list in JSON when it begins
        with ``[`` or ``{``, and one TIMTextElem otherwise.
    :raises ValueError: naming the element and the field, never their content.
    """
    if isinstance(value, str):
        value = _from_json(value) if value.lstrip()[:1] in ("[", "{") else [_text_element(value)]
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be text or a list of message elements, not {type(value).__name__}")
    if not value:
        raise ValueError("is an empty list")
    for position, element in enumerate(value):
        _check_element(position, element)
    if sum(element["MsgType"] == "TIMCustomElem" for element in value) > 1:
        raise ValueError("holds more than one TIMCustomElem")
    return [dict(element) for element in value]


def check_size(fields: Mapping[str, Any]) -> None:
    """Refuse a message that the server would call too long.

    :param fields: MsgBody, CloudCustomData or both.
    :raises ValueError: when they are over 12,288 bytes of compact JSON, or cannot be written as JSON.
    """
    names = " and ".join({"MsgBody": "msg_body", "CloudCustomData": "cloud_custom_data"}[name] for name in fields)
    try:
        size = len(json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError) as error:
        reason = f"cannot be written as JSON in UTF-8 ({type(error).__name__})"
    else:
        if size <= MAX_MESSAGE_BYTES:
            return
        reason = f"is {size} bytes of compact JSON, {MAX_MESSAGE_BYTES} are allowed"
    raise ValueError(f"{names} {reason}")


def _from_json(text: str) -> object:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        reason = "begins like JSON and is none; other text must not begin with [ or {"
    else:
        return parsed
    raise ValueError(reason)


def _text_element(text: str) -> dict[str, Any]:
    return {"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}


def _check_element(position: int, element: object) -> None:
    where = f"element {position}"
    if not isinstance(element, Mapping) or set(element) != {"MsgType", "MsgContent"}:
        raise ValueError(f'{where} is not {{"MsgType": …, "MsgContent": …}}')
    model = _CONTENTS.get(element["MsgType"]) if isinstance(element["MsgType"], str) else None
    if model is None:
        raise ValueError(f"{where} has an unknown MsgType; known are {', '.join(_CONTENTS)}")
    try:
        model.validate_python(element["MsgContent"])
        return
    except ValidationError as error:
        # Only names and reasons: the input itself is message content.
        reasons = [
            f"{'.'.join(map(str, line['loc'])) or 'MsgContent'}: {line['msg']}"
            for line in error.errors(include_input=False, include_url=False, include_context=False)
        ]
    raise ValueError(f"{where} ({element['MsgType']}): {'; '.join(reasons)}")
