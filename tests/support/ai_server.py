"""An OpenAI-compatible service for tests, with the odd faults that no other test server has.

Answers are computed from the request: every rule of the prompt is followed, so what the suite then
drops, it drops for a reason. `script` holds the faults of the next requests, in order; after the last
one it answers well.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Json = dict[str, Any]


class AiServer:
    """A service on a free loopback port, for the length of a `with` block.

    Attributes:
        requests: bodies as they came.
        script: names of faults (methods of `_Handler`) for the next requests.
        always: the fault of every request after those of the script.
        on_request: told the number of each request, from 1, before it is answered.
        change: turns the good answer into another one.
    """

    def __init__(self) -> None:
        self.requests: list[Json] = []
        self.headers: list[dict[str, str]] = []
        self.script: list[str] = []
        self.always = "good"
        self.on_request: Callable[[int], None] = lambda _number: None
        self.change: Callable[[Json, Json], Json] = lambda _request, answer: answer
        self.released = threading.Event()
        self._lock = threading.Lock()
        server = self

        class Handler(_Handler):
            owner = server

        self._http = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def take(self, body: Json, headers: dict[str, str]) -> str:
        with self._lock:
            self.requests.append(body)
            self.headers.append(headers)
            number = len(self.requests)
            fault = self.script.pop(0) if self.script else self.always
        self.on_request(number)
        return fault


def transcript_lines(body: Json) -> list[Json]:
    """The utterances of a request, as the service reads them."""
    data = body["messages"][1]["content"]
    fence = re.search(r"^<(transcript-[0-9a-f]+)>$", data, re.MULTILINE)
    assert fence is not None
    inside = data.split(f"<{fence[1]}>\n", 1)[1].rsplit(f"\n</{fence[1]}>", 1)[0]
    return [json.loads(line) for line in inside.splitlines()]


def commitments(body: Json) -> list[Json]:
    """The open commitments of a request."""
    line = re.search(r"^open_commitments: (.*)$", body["messages"][1]["content"], re.MULTILINE)
    assert line is not None
    found: list[Json] = json.loads(line[1])
    return found


def good_answer(body: Json) -> Json:
    """What a careful model would say."""
    lines = transcript_lines(body)

    def cite(line: Json, quote: str | None = None) -> list[Json]:
        return [{"position": line["p"], "speaker": line["s"], "quote": quote or line["t"]}]

    client = [line for line in lines if line["s"] == "client" and len(line["t"].split()) > 4]
    actions = []
    for line in lines:
        promise = re.search(r"I(?:'ll| will) ([^.]+)", line["t"])
        if promise is None or line["s"] == "other":
            continue
        due = re.search(r"by Friday|tomorrow", line["t"])
        actions.append(
            {
                "text": promise[1],
                "owner": line["s"],
                "modality": "commitment",
                "due_date": "2026-11-06" if due else None,
                "due_phrase": due[0] if due else None,
                "carries": None,
                "done": False,
                "citations": cite(line, promise[0]),
            }
        )
    actions += [
        {
            "text": each["text"],
            "owner": each["owner"],
            "modality": "commitment",
            "due_date": None,
            "due_phrase": None,
            "carries": each["ref"],
            "done": True,
            "citations": cite(line),
        }
        for each in commitments(body)
        for line in lines
        if "done" in line["t"] and line["s"] == each["owner"]
    ]
    return {
        "summary": [
            {"text": f"The client said: {x['t']}", "citations": cite(x)} for x in client[:2]
        ],
        "themes": [{"text": "delegation", "citations": cite(x)} for x in client[:1]],
        "behaviours": [
            {
                "position": line["p"],
                "behaviour": "question" if "?" in line["t"] else "other",
                "open_question": line["t"].startswith(("What", "How")),
            }
            for line in lines
            if line["s"] == "coach"
        ],
        "action_items": actions,
        "follow_up": [{"text": "You spoke about this.", "citations": cite(x)} for x in client[:1]],
    }


def completion(body: Json, content: str, finish: str = "stop") -> Json:
    """A chat completion with this content, tokens counted as characters by four."""
    sent = sum(len(message["content"]) for message in body["messages"])
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": content, "refusal": None},
            }
        ],
        "usage": {
            "prompt_tokens": sent // 4,
            "completion_tokens": len(content) // 4,
            "total_tokens": sent // 4 + len(content) // 4,
        },
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hung up at its deadline is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    owner: AiServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = self.owner.take(body, {name.lower(): value for name, value in self.headers.items()})
        getattr(self, f"_{fault}")(body)

    def _send(
        self, status: int, payload: bytes, kind: str = "application/json", **headers: str
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(payload)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(payload)

    def _json(self, status: int, document: Json, **headers: str) -> None:
        self._send(status, json.dumps(document).encode(), **headers)

    def _error(
        self, status: int, code: str | None, param: str | None = None, **headers: str
    ) -> None:
        error = {"message": f"fault {code}", "type": "fault", "code": code, "param": param}
        self._json(status, {"error": error}, **headers)

    def _answer(self, body: Json) -> str:
        return json.dumps(self.owner.change(body, good_answer(body)))

    def _good(self, body: Json) -> None:
        self._json(200, completion(body, self._answer(body)))

    def _unauthorised(self, _: Json) -> None:
        self._error(401, "invalid_api_key")

    def _busy(self, _: Json) -> None:
        self._error(429, "rate_limit_exceeded", Retry_After="0")

    def _busy_second(self, _: Json) -> None:
        self._error(429, "rate_limit_exceeded", Retry_After="1")

    def _busy_long(self, _: Json) -> None:
        self._error(429, "rate_limit_exceeded", Retry_After="600")

    def _quota(self, _: Json) -> None:
        self._error(429, "insufficient_quota")

    def _broken(self, _: Json) -> None:
        self._error(500, "server_error")

    def _missing(self, _: Json) -> None:
        self._error(404, "model_not_found")

    def _no_temperature(self, _: Json) -> None:
        self._error(400, "unsupported_value", "temperature")

    def _no_seed(self, _: Json) -> None:
        self._error(400, "unsupported_parameter", "seed")

    def _context(self, _: Json) -> None:
        self._error(400, "context_length_exceeded", "messages")

    def _html(self, _: Json) -> None:
        self._send(200, b"<html><body>Welcome to the proxy</body></html>", "text/html")

    def _empty(self, _: Json) -> None:
        self._json(200, {})

    def _malformed(self, _: Json) -> None:
        self._send(200, b'{"choices": [')

    def _cut(self, body: Json) -> None:
        self._json(200, completion(body, self._answer(body)[:40]))

    def _wrong_form(self, body: Json) -> None:
        self._json(200, completion(body, '{"score": 10}'))

    def _length(self, body: Json) -> None:
        self._json(200, completion(body, self._answer(body)[:40], finish="length"))

    def _filtered(self, body: Json) -> None:
        self._json(200, completion(body, "", finish="content_filter"))

    def _refused(self, body: Json) -> None:
        document = completion(body, "")
        document["choices"][0]["message"] |= {"content": None, "refusal": "I cannot help."}
        self._json(200, document)

    def _unended(self, body: Json) -> None:
        document = completion(body, self._answer(body))
        document["choices"][0]["finish_reason"] = None
        self._json(200, document)

    def _disconnect(self, _: Json) -> None:
        self.close_connection = True

    def _truncated(self, _: Json) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "5000")
        self.end_headers()
        self.wfile.write(b'{"id": "x"')
        self.close_connection = True

    def _stream_cut(self, body: Json) -> None:
        """Events, though none were asked for, that end in the middle of the answer."""
        half = self._answer(body)[:60]
        event = {"choices": [{"index": 0, "delta": {"content": half}, "finish_reason": None}]}
        self._send(200, b"data: " + json.dumps(event).encode() + b"\n\n", "text/event-stream")

    def _endless(self, _: Json) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for _number in range(400):
            self.wfile.write(b" " * 100_000)

    def _packed(self, _: Json) -> None:
        self._send(200, gzip.compress(b" " * 1_000_000), Content_Encoding="gzip")

    def _hostile(self, body: Json) -> None:
        """Characters that a database refuses, and half of one."""
        document = completion(body, self._answer(body))
        message = document["choices"][0]["message"]
        message["content"] = message["content"].replace(
            "The client said", "The\\u0000 client\\u202e said"
        )
        self._json(200, document)

    def _hang(self, _: Json) -> None:
        self.owner.released.wait()

    def _drip(self, body: Json) -> None:
        payload = json.dumps(completion(body, self._answer(body))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        for byte in payload[:-1]:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.owner.released.wait(0.02):
                return
        self.owner.released.wait()  # however long a caller stood still, the end has not come


def ai_server() -> Iterator[AiServer]:
    """For a fixture: `ai = pytest.fixture(ai_server)`."""
    with AiServer() as server:
        yield server
