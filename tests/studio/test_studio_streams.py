"""The stream that a page of the studio listens to ends quietly, whoever ends it."""

import json
import socket
import time
from typing import Any

from tests.studio.test_studio_doors import post

STREAM = "/gradio_api/queue/data?session_hash="


def test_a_session_that_has_ended_is_told_and_leaves_no_traceback(studio_server: Any) -> None:
    status, _, body = studio_server.ask("GET", STREAM + "ended")
    assert status == 200
    assert json.loads(body.decode().removeprefix("data: "))["session_not_found"] is True
    assert "Exception in ASGI" not in studio_server.log.read_text()


def listen(studio: Any, session: str) -> socket.socket:
    link = socket.create_connection(("127.0.0.1", studio.port))
    head = f"GET {STREAM}{session} HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\n\r\n"
    link.sendall(head.encode())
    return link


def test_pages_left_while_two_streams_are_open_leave_no_traceback(studio_server: Any) -> None:
    _, _, config = studio_server.ask("GET", "/config")
    wanted = next(
        each for each in json.loads(config)["dependencies"] if each["api_name"] == "reconstruct"
    )
    data = ["astronaut", "random(ratio=0.75)", *[None] * (len(wanted["inputs"]) - 2)]
    for number in range(20):
        session = f"left{number}"
        links = []
        for _ in range(2):
            message = {"data": data, "fn_index": wanted["id"], "session_hash": session}
            assert post(studio_server, "/gradio_api/queue/join", message)[0] == 200
            links.append(listen(studio_server, session))
        time.sleep(0.01 * number)  # the streams are left at any point of their life
        for link in links:
            link.close()
    # Answered by the same loop, after what the last streams had to say.
    assert studio_server.ask("GET", STREAM + "last")[0] == 200
    assert "Exception in ASGI" not in studio_server.log.read_text()
