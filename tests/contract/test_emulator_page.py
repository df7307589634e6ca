"""The page for a browser: what it shows, that all of it can be reached, and that nothing in it can do harm."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests

from airflow_provider_tencentim.emulator import TencentIMEmulator

APPINFO = "openconfigsvr/getappinfo"
INFO = "group_open_http_svc/get_group_info"
EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)></bdi>&amp;\x00\x08\x1b\u202e\u2066\x9b'
HARMLESS = {
    *("html", "head", "meta", "link", "title", "style", "body", "h1", "h2", "p", "a", "nav", "dl", "div", "dt", "dd"),
    *("table", "tr", "th", "td", "span", "bdi", "br"),
}


class Page(HTMLParser):
    """A page as a browser reads it.

    :param response: the answer to the browser.
    """

    def __init__(self, response: requests.Response) -> None:
        super().__init__()
        self.status = response.status_code
        self.source = response.content.decode()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.links: dict[str, str] = {}
        self._href = ""
        self._in_cell = False
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True
        elif tag == "a":
            self._href = dict(attrs)["href"] or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._href = ""
        elif tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._href:
            self.links[data] = self._href
        if self._in_cell:
            self.rows[-1][-1] += data

    def row(self, first: str) -> list[str]:
        """The row of a table that begins with this."""
        (row,) = (row for row in self.rows if row[0].strip() == first)
        return [cell.strip() for cell in row]


def browse(emulator: TencentIMEmulator, path: str = "/", **query: Any) -> Page:
    return Page(requests.get(urljoin(emulator.url, path), params=query, timeout=5))


def test_the_overview_shows_groups_with_the_number_and_the_states_of_their_messages(emulator):
    states = ["normal"] * 5 + ["recalled"] * 3 + ["expired"] * 2
    messages = [{"MsgBody": "x", "state": state, "MsgTimeStamp": 1_700_000_000} for state in states]
    emulator.add_group("room", "ChatRoom", name="kitchen", messages=messages, cleared_through=4)
    emulator.add_group("@TGS#_hall", "Community", messages=2, topics={"a": 3})
    emulator.add_c2c_message("ann", "bob", "hello")
    page = browse(emulator)
    assert page.row("room") == ["room", "ChatRoom", "kitchen", "10", "5", "3", "2", "4", "2023-11-14 22:13:20"]
    assert page.row("@TGS#_hall")[1:7] == ["Community 1 topic", "group", "5", "5", "0", "0"]
    assert re.search(r"groups\s*2\s*messages in groups\s*15\s*one-to-one messages\s*1\s*accounts\s*3", page.text)


def test_the_overview_shows_calls_the_busiest_second_and_refusals_by_code(emulator, emulator_call):
    for usersig in ({}, {}, {"usersig": ""}, {"usersig": ""}, {"usersig": "x"}):
        emulator_call(INFO, {"GroupIdList": ["x"]}, **usersig)
    command, calls, busiest, refusals = browse(emulator).row(INFO)
    assert (command, calls, busiest) == (INFO, "5", "5")
    assert re.fullmatch(r"2 × 70002 .+1 × 70003 .+", refusals)


def test_the_overview_shows_the_faults_that_can_still_strike(emulator, emulator_call):
    assert "faults" not in browse(emulator).text
    once = emulator.add_fault(error_code=60008, command=APPINFO, times=1)
    always = emulator.add_fault(drop=True, group="<b>")
    page = browse(emulator)
    assert "Active faults" in page.text
    assert "error_code=60008" in page.row(str(once))[1]
    assert "group=<b>" in page.row(str(always))[1]
    emulator_call(APPINFO, {})
    assert "error_code=60008" not in browse(emulator).text


def test_a_group_shows_its_messages_newest_first_with_their_state(emulator):
    messages = [
        {"MsgBody": {"OpType": 1}, "IsSystemMsg": 1},
        {"MsgBody": "first", "From_Account": "ann", "MsgTimeStamp": 1_700_000_000, "CloudCustomData": "data"},
        {"MsgBody": "second", "state": "recalled"},
        {"MsgBody": [], "state": "expired"},
        {"MsgBody": [{"MsgType": "TIMFaceElem", "MsgContent": {"Index": 6}}]},
    ]
    emulator.add_group("room", messages=messages, cleared_through=2)
    page = browse(emulator, browse(emulator).links["room"])
    assert [row[0] for row in page.rows[1:]] == ["5", "4", "3", "2", "1"]
    assert page.row("2") == ["2", "2023-11-14 22:13:20", "ann", "normalcleared", "firstCloudCustomData data"]
    assert [page.row(seq)[3:] for seq in "1345"] == [
        ["normalclearedsystem", '{"OpType":1}'],
        ["recalled", "second"],
        ["expired", ""],
        ["normal", '[TIMFaceElem] {"Index":6}'],
    ]
    assert page.links["← overview"] == "/"


def test_a_modified_message_is_marked_and_shown_as_it_is_now(emulator, emulator_call):
    emulator.add_group("room", messages=1)
    body = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "removed"}}]
    emulator_call("openim/modify_group_msg", {"GroupId": "room", "MsgSeq": 1, "MsgBody": body})
    assert browse(emulator, group="room").row("1")[3:] == ["normalmodified", "removed"]


def test_states_follow_the_roaming_days_that_are_assumed(emulator):
    emulator.add_group("room", messages=[{"MsgBody": "x", "MsgTimeStamp": int(emulator.now()) - 8 * 86_400}, "y"])
    assert browse(emulator).row("room")[4:7] == ["2", "0", "0"]
    emulator.assume({"roaming_days": 7})
    assert browse(emulator).row("room")[4:7] == ["1", "0", "1"]
    assert browse(emulator, group="room").row("1")[3] == "expired"


def test_a_topic_has_a_page_of_its_own(emulator):
    emulator.add_group("@TGS#_hall", "Community", messages=1, topics={"a&b": ["in the topic"]})
    page = browse(emulator, browse(emulator, group="@TGS#_hall").links["a&b"])
    assert page.row("1")[4] == "in the topic"
    assert browse(emulator, page.links["the group itself"]).row("1")[4] == "message 1"


def test_the_links_lead_to_every_message_once(emulator):
    emulator.add_group("room", messages=[{"MsgBody": "x", "MsgSeq": seq} for seq in range(7, 2007, 9)])
    page, read = browse(emulator, group="room"), []
    while True:
        read += [int(row[0]) for row in page.rows[1:]]
        if "next" not in page.links:
            break
        page = browse(emulator, page.links["next"])
    assert read == [*range(7, 2007, 9)][::-1]
    assert "201 – 223 of 223 messages" in page.text
    assert browse(emulator, page.links["first"]).row("2005")
    assert browse(emulator, browse(emulator, group="room").links["last"]).row("7")


def test_ten_thousand_groups_and_a_huge_one_make_no_huge_or_slow_page(emulator):
    emulator.add_group("huge", messages=["x" * 10_000] * 300)
    for number in range(10_000):
        emulator.add_group(f"group{number}", name="n" * 1000)
        emulator.add_fault(error_code=1, error_info="i" * 100) if number < 200 else None
    begin = time.monotonic()
    pages = [browse(emulator), browse(emulator, page=201), browse(emulator, group="huge")]
    assert time.monotonic() - begin < 3
    assert all(len(page.source) < 150_000 for page in pages)
    assert "1 – 50 of 10,001 groups" in pages[0].text
    assert "150 more" in pages[0].text
    assert "10,001 – 10,001 of 10,001 groups" in pages[1].text
    assert "1 – 50 of 300 messages" in pages[2].text
    assert len(pages[1].rows) == 1 + 50 + 1 + 1  # the heads, the faults, the heads, one group


@pytest.mark.parametrize("number", ["0", "-1", "999999999", "9" * 5000, "x", "", "1.5", "²"])
def test_a_page_that_there_is_not_is_the_nearest_one(emulator, number):
    emulator.add_group("room", messages=60)
    assert len(browse(emulator, group="room", page=number).rows) in (51, 11)


def test_what_there_is_not_says_so_and_keeps_refreshing(emulator):
    emulator.add_group("room")
    for query in ({"group": EVIL}, {"group": "room", "topic": EVIL}):
        page = browse(emulator, **query)
        assert page.status == 404
        assert "There is no" in page.text
        assert_harmless(page)


def assert_harmless(page: Page) -> None:
    assert {tag for tag, _ in page.tags} <= HARMLESS
    for tag, attributes in page.tags:
        assert set(attributes) <= {"lang", "charset", "name", "content", "http-equiv", "rel", "href", "class"}
        if "href" in attributes:
            assert attributes["href"] == "data:," if tag == "link" else attributes["href"].startswith("/")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page.source)
    assert ("meta", {"http-equiv": "refresh", "content": "5"}) in page.tags


def test_no_text_can_become_markup_or_turn_the_page_around(emulator, emulator_call):
    emulator.add_group(EVIL, name=EVIL, messages=[{"MsgBody": EVIL, "From_Account": EVIL, "CloudCustomData": EVIL}])
    emulator.add_group("room", name="half a pair \ud83d", topics={EVIL: [EVIL]}, messages=[[EVIL], [{"MsgType": EVIL}]])
    emulator.add_group("odd", messages=[{"MsgBody": {"Text": EVIL}}, [{"MsgType": EVIL, "MsgContent": EVIL}], [[1]]])
    emulator.add_group("late", messages=[{"MsgBody": "x", "MsgTimeStamp": 10**18}])
    emulator.add_fault(error_code=7, error_info=EVIL)
    emulator_call(EVIL, {EVIL: EVIL}, path="/v4/openim/%3Cscript%3E", identifier=EVIL)
    overview = browse(emulator)
    pages = [overview, *(browse(emulator, href) for href in overview.links.values())]
    pages.append(browse(emulator, group="room", topic=EVIL))
    assert [page.status for page in pages] == [200] * len(pages)
    assert len(pages) == 6
    for page in pages:
        assert_harmless(page)
    assert overview.text.count("<script>alert(1)</script>") >= 3  # shown, as text
    assert pages[1].text.count("␀␈␛⟨202E⟩") >= 4


def test_neither_the_key_nor_a_signature_is_ever_shown(emulator, emulator_call, emulator_usersig):
    emulator.add_group("room", messages=1)
    emulator_call(APPINFO, {})
    emulator_call(APPINFO, {}, usersig=emulator_usersig[:-8])
    for page in (browse(emulator), browse(emulator, group="room"), browse(emulator, group="none")):
        assert emulator.secret_key not in page.source
        assert emulator_usersig[:40] not in page.source


def test_the_policy_allows_the_style_sheet_and_nothing_else(emulator):
    response = requests.get(emulator.url, timeout=5)
    style = re.search(r"<style>(.*?)</style>", response.text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"


def test_looking_at_the_page_is_no_call(emulator):
    browse(emulator)
    assert requests.get(emulator.url + "/favicon.ico", timeout=5).status_code == 204
    assert requests.head(emulator.url, timeout=5).status_code == 200
    assert emulator.stats()["calls"] == {}
    assert requests.post(emulator.url + "/", data="{}", timeout=5).json()["ErrorCode"] == 60002


def test_a_client_from_elsewhere_does_not_see_the_page(emulator, monkeypatch):
    monkeypatch.setattr("airflow_provider_tencentim.emulator.asgi.is_loopback", lambda host: False)
    emulator.add_group("room")
    response = requests.get(emulator.url, timeout=5)
    assert response.status_code == 403
    assert "room" not in response.text


def test_the_links_keep_what_they_name(emulator):
    name = "a&b=c#d %41+"
    emulator.add_group(name, messages=60)
    page = browse(emulator, browse(emulator).links[name])
    assert parse_qs(urlsplit(page.links["next"]).query) == {"group": [name], "page": ["2"]}
