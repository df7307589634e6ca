"""What made-up messages say: every documented element, in many scripts, with what real clients put into them."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from airflow_provider_tencentim.emulator.seeding import text_element

Elements = list[dict[str, Any]]

_TEXTS = (
    "good morning",
    "see you at the meeting 👋",
    "ok",
    "+1",
    "order 4711 has shipped 📦",
    "😀😀😀",
    "👩‍👩‍👧‍👦 at the beach 🏖️ 🇨🇳",
    "C'est noté, merci !",
    "大家好,今天的会议改到下午三点",
    "收到,谢谢!",
    "已发货,请注意查收。电话 010-5555-0100",
    "明天降温,记得多穿衣服",
    "報告書を送りました。ご確認ください 🙇",
    "네, 확인했습니다",
    "สวัสดีครับ",
    "नमस्ते, कल मिलते हैं",
    "مرحبا، متى نلتقي غدا؟",
    "שלום, הכול בסדר",
    "mixed עברית and English عربى text",
    "first line\nsecond line\n\n\tindented",
    '{"looks": "like JSON"}',
    "<b>looks like HTML</b> & <script>alert(1)</script>",
    "https://www.example.com/?q=a+b&c=%E7%8C%AB",
    "o\u0302\u0323 combining, \u200bzero width, 𝔐𝔞𝔱𝔥",
)
_CARDS = ("gift", "red packet", "order", "poll", "like", "typing")
_PLACES = (("北京市海淀区", 39.9834, 116.3229), ("Marina Bay", 1.2834, 103.8607), ("São Paulo", -23.5505, -46.6333))
_FILES = ("report.pdf", "报价单.xlsx", "a b (final) 2.zip", "صورة.png")
_FILE_STORE = "https://files.example.com"


def tip(dice: random.Random, operator: str, members: int) -> dict[str, Any]:
    """Return the body of a system message, which is an object: somebody joined, left, or changed something.

    :param dice: decides.
    :param operator: who did it.
    :param members: how many members there are then.
    """
    kind = dice.randint(1, 7)
    body: dict[str, Any] = {"OpType": kind, "Operator_Account": operator, "MemberNum": members}
    if kind == 6:
        body["MsgGroupNewInfo"] = {"GroupName": "新名字"}
    return body


def any_body(dice: random.Random, number: int) -> Elements:
    """Return a MsgBody: mostly a text, now and then any other element, or several.

    :param dice: decides.
    :param number: tells one message from another.
    """
    if dice.random() < 0.75:
        return [text_element(f"{dice.choice(_TEXTS)} #{number}")]
    (make,) = dice.choices(_OTHERS, cum_weights=_SHARES)
    return make(dice, number)


def _long_text(dice: random.Random, number: int) -> Elements:
    return [text_element(f"#{number} " + " ".join(dice.choices(_TEXTS, k=dice.randint(20, 120))))]


def _face(dice: random.Random, number: int) -> Elements:
    content = {"Index": dice.randint(0, 200), "Data": dice.choice(("", "[微笑]", "tt00"))}
    return [{"MsgType": "TIMFaceElem", "MsgContent": content}]


def _location(dice: random.Random, number: int) -> Elements:
    name, latitude, longitude = dice.choice(_PLACES)
    content = {"Desc": name, "Latitude": latitude, "Longitude": longitude}
    return [{"MsgType": "TIMLocationElem", "MsgContent": content}]


def _custom(dice: random.Random, number: int) -> Elements:
    # Clients put binary data there: control characters of every kind arrive as text.
    binary = "".join(chr(dice.randrange(32)) for _ in range(6))
    data = f'{{"no":{number}}}' if dice.random() < 0.5 else f"\b\u0001猫{binary}\u007f\u0085"
    content = {"Data": data, "Desc": dice.choice(_CARDS), "Ext": str(number), "Sound": "ding.aiff"}
    return [{"MsgType": "TIMCustomElem", "MsgContent": content}]


def _several(dice: random.Random, number: int) -> Elements:
    return [text_element("🎁 @all"), *_face(dice, number), *_custom(dice, number)]


def _image(dice: random.Random, number: int) -> Elements:
    width, height = dice.choice(((1080, 1920), (4032, 3024), (300, 300)))
    sizes = [
        {
            "Type": kind,
            "Size": 1000 * number % 9_000_000 // kind,
            "Width": width // kind,
            "Height": height // kind,
            "URL": f"{_FILE_STORE}/{number}/{kind}.jpg",
        }
        for kind in (1, 2, 3)
    ]
    content = {"UUID": _uuid(dice), "ImageFormat": dice.choice((1, 2, 3, 4, 255)), "ImageInfoArray": sizes}
    return [{"MsgType": "TIMImageElem", "MsgContent": content}]


def _sound(dice: random.Random, number: int) -> Elements:
    content = {
        "Url": f"{_FILE_STORE}/{number}.m4a",
        "UUID": _uuid(dice),
        "Size": dice.randint(2000, 90_000),
        "Second": dice.randint(1, 60),
        "Download_Flag": 2,
    }
    return [{"MsgType": "TIMSoundElem", "MsgContent": content}]


def _file(dice: random.Random, number: int) -> Elements:
    content = {
        "Url": f"{_FILE_STORE}/{number}",
        "UUID": _uuid(dice),
        "FileSize": dice.randint(1, 50_000_000),
        "FileName": dice.choice(_FILES),
        "Download_Flag": 2,
    }
    return [{"MsgType": "TIMFileElem", "MsgContent": content}]


def _video(dice: random.Random, number: int) -> Elements:
    content = {
        "VideoUrl": f"{_FILE_STORE}/{number}.mp4",
        "VideoUUID": _uuid(dice),
        "VideoSize": dice.randint(100_000, 80_000_000),
        "VideoSecond": dice.randint(1, 300),
        "VideoFormat": "mp4",
        "VideoDownloadFlag": 2,
        "ThumbUrl": f"{_FILE_STORE}/{number}.jpg",
        "ThumbUUID": _uuid(dice),
        "ThumbSize": dice.randint(2000, 20_000),
        "ThumbWidth": 720,
        "ThumbHeight": 1280,
        "ThumbFormat": "JPG",
        "ThumbDownloadFlag": 2,
    }
    return [{"MsgType": "TIMVideoFileElem", "MsgContent": content}]


def _forwarded(dice: random.Random, number: int) -> Elements:
    texts = dice.sample(_TEXTS, 3)
    content = {
        "Title": "聊天记录",
        "MsgNum": len(texts),
        "CompatibleText": "forwarded messages",
        "AbstractList": [f"user{index}: {text}" for index, text in enumerate(texts)],
        "JsonMsgKey": f"key-{number}",
    }
    return [{"MsgType": "TIMRelayElem", "MsgContent": content}]


def _uuid(dice: random.Random) -> str:
    return f"{dice.getrandbits(64):016x}"


# How often each comes up among what is no plain text.
_WEIGHTS: dict[Callable[[random.Random, int], Elements], int] = {
    _face: 30,
    _custom: 25,
    _image: 20,
    _sound: 10,
    _file: 5,
    _video: 4,
    _several: 3,
    _location: 2,
    _forwarded: 2,
    _long_text: 1,
}
_OTHERS = tuple(_WEIGHTS)
_SHARES = tuple(accumulate(_WEIGHTS.values()))
