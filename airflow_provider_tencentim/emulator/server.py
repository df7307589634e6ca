"""The emulator as a server in a thread of this process."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode

import uvicorn

from airflow_provider_tencentim.emulator import seeding
from airflow_provider_tencentim.emulator.asgi import EmulatorApp, TransportProtocol
from airflow_provider_tencentim.emulator.assumptions import Assumptions
from airflow_provider_tencentim.emulator.controls import Controls
from airflow_provider_tencentim.emulator.gateway import Gateway
from airflow_provider_tencentim.emulator.seeding import MessageLike
from airflow_provider_tencentim.emulator.store import MsgKey

DEFAULT_IDENTIFIER = "administrator"
_START_SECONDS = 30
_SHUTDOWN_SECONDS = 1


class _Server(uvicorn.Server):
    """uvicorn's server, which also says when it is ready, and does not wait for idle or stuck clients."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.close()
        await super().shutdown(sockets)


class TencentIMEmulator(Controls):
    """A local Tencent Cloud Chat app behind a real socket, for the time of a ``with`` block.

    :param port: the TCP port; 0 takes a free one.
    :param host: the address to listen on; anything but loopback lets others in.
    :param sdkappid: the app's number.
    :param secret_key: the key that signatures must be made with; None makes a random one.
    :param identifier: the app's administrator.
    :param tls: paths of a certificate and its key, for HTTPS.
    :param assumptions: readings of what the documents leave open, by name.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        sdkappid: int = 1400000000,
        secret_key: str | None = None,
        identifier: str = DEFAULT_IDENTIFIER,
        tls: tuple[str, str] | None = None,
        assumptions: Mapping[str, object] | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.sdkappid = sdkappid
        self.secret_key = secrets.token_hex(32) if secret_key is None else secret_key
        self.identifier = identifier
        self._tls = tls
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        assume = Assumptions().changed(assumptions or {})
        super().__init__(Gateway(sdkappid, self.secret_key, identifier, assume))

    @property
    def url(self) -> str:
        """The base URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    @property
    def connection_uri(self) -> str:
        """An Airflow connection of type ``tencentim`` to this emulator, as a URI."""
        uri = f"tencentim://{self.sdkappid}:{quote(self.secret_key, safe='')}@{quote(self.url, safe='')}"
        if self.identifier == DEFAULT_IDENTIFIER:
            return uri
        return f"{uri}?{urlencode({'admin_identifier': self.identifier})}"

    def __enter__(self) -> Self:
        """Start to listen, and return when the first request can come."""
        certificate, key = self._tls or (None, None)
        config = uvicorn.Config(
            EmulatorApp(self._gateway, self),
            http=TransportProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,  # it would print every UserSig
            proxy_headers=False,
            server_header=False,
            ssl_certfile=certificate,
            ssl_keyfile=key,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        )
        config.load()  # here, so that a bad certificate is the caller's exception
        listener = self._listen()
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="tencentim-emulator", daemon=True
        )
        self._thread.start()
        if not self._server.ready.wait(_START_SECONDS):
            self.__exit__(None, None, None)
            raise RuntimeError("the emulator did not start")
        return self

    def _listen(self) -> socket.socket:
        family, kind, proto, _, address = socket.getaddrinfo(
            self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
        self.port = listener.getsockname()[1]
        return listener

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and leave no thread and no socket behind."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
            self._server = self._thread = None

    def add_accounts(self, *accounts: str) -> None:
        """Import accounts."""
        with self._gateway.lock:
            self._gateway.app.accounts.update(accounts)

    def add_group(
        self,
        group_id: str | None = None,
        type: str = "Public",
        *,
        messages: int | Iterable[MessageLike] = 0,
        create_time: int | None = None,
        name: str | None = None,
        owner: str | None = None,
        members: Iterable[str] = (),
        topics: Mapping[str, int | Iterable[MessageLike]] | None = None,
        first_seq: int = 1,
        cleared_through: int = 0,
    ) -> str:
        """Put a group in place and return its GroupId.

        A message is a text, a MsgBody, or a mapping with some of MsgBody (a text, a list, or the object of
        a system message), CloudCustomData, From_Account, MsgTimeStamp, MsgSeq, MsgRandom, IsSystemMsg and
        state (``normal``, ``recalled`` or ``expired``). A MsgSeq further on leaves a gap. Accounts that
        are named exist afterwards.

        :param group_id: its id; None makes one.
        :param type: Private, Public, ChatRoom, AVChatRoom, Community, Work or Meeting.
        :param messages: the messages, or a number of texts a second apart.
        :param create_time: in Unix seconds; by default a second before the first message.
        :param name: its name.
        :param owner: its owner, by default the administrator.
        :param members: other accounts in it.
        :param topics: the messages of its topics by TopicId.
        :param first_seq: the MsgSeq of the first message.
        :param cleared_through: the MsgSeq through which its history is cleared.
        """
        with self._gateway.lock:
            group = seeding.add_group(
                self._gateway.app,
                self.now(),
                group_id,
                type,
                seeding.listed(messages),
                create_time=create_time,
                name=name,
                owner=owner,
                members=members,
                topics=topics,
                first_seq=first_seq,
                cleared_through=cleared_through,
            )
        return group.group_id

    def add_group_message(self, group_id: str, message: MessageLike, *, topic_id: str | None = None) -> int:
        """Put one more message into a group and return its MsgSeq.

        :param group_id: the group.
        :param message: as for ``add_group``.
        :param topic_id: the topic, if it goes there.
        """
        with self._gateway.lock:
            group = self._gateway.app.groups[group_id]
            history = group.history if topic_id is None else group.topics[topic_id]
            return seeding.add_message(self._gateway.app, history, message, int(self.now()))

    def add_c2c_message(self, from_account: str, to_account: str, message: MessageLike) -> MsgKey:
        """Put a one-to-one message in place and return its MsgKey.

        :param from_account: the sender, which exists afterwards.
        :param to_account: the recipient, which exists afterwards.
        :param message: as for ``add_group``.
        """
        with self._gateway.lock:
            return seeding.add_c2c_message(self._gateway.app, from_account, to_account, message, int(self.now()))

    def pin_conversation(self, account: str, *, peer: str | None = None, group_id: str | None = None) -> None:
        """Pin a conversation to the top of an account's list, which only a user's own client could do.

        :param account: whose list it is.
        :param peer: the other account of a one-to-one conversation.
        :param group_id: a group instead of an account.
        """
        if (peer is None) == (group_id is None):
            raise ValueError("give either peer or group_id")
        with self._gateway.lock:
            self._gateway.app.pinned.add((account, 1, peer) if peer is not None else (account, 2, group_id or ""))
