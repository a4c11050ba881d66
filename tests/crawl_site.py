"""A small site with many faults, in a process of its own, that writes down what it saw.

    python tests/crawl_site.py SITE.json LOG

`SITE.json` lists hosts, each a port of 127.0.0.1 with its own character; the ports
are printed as one JSON line once all listen. `LOG` gets one JSON line a request:
when, which host, which path and headers. The pages are made here, with the class
names of Yixinli's questions and sentences of our own. The crawler's tests and
`bench/crawl.py` judge from this log, never from what the crawler says of itself.
"""

import asyncio
import json
import re
import signal
import sys
import time
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ON_A_LIST = 20
ANSWERS_A_PAGE = 10
# Padding that no reader takes for text: a real question's page is about 42 KB, most of it markup.
SCRIPT = "<script>var menu=[{}];</script>".format(
    ",".join(f'{{"id":{n},"href":"/m/{n}"}}' for n in range(160))
)
SENTENCES = [
    "晚上躺下以后我总在想白天说错的那句话。",
    "上班路上会突然心慌，下车走一走就好些。",
    "我和室友已经一个星期没有说话了。",
    "妈妈问我最近怎么样，我只会说挺好的。",
    "先把睡前看手机的时间往前挪一点，看看有没有变化。",
    "听起来你扛了很久，愿意说出来已经不容易。",
    "可以找一位信得过的朋友，把这件事完整地讲一遍。",
    "如果难过持续了两个星期以上，去医院看看是应该的。",
]


@lru_cache(maxsize=4096)
def words(seed: int, sentences: int) -> str:
    return "".join(SENTENCES[(seed * 7 + n * (3 + seed % 5)) % len(SENTENCES)] for n in range(sentences))


def question(number: int, page: int, host: dict) -> bytes:
    """One page of a question: every tenth has a second page of answers."""
    count = host.get("answers", 2) if number % 10 else ANSWERS_A_PAGE + 2
    first = (page - 1) * ANSWERS_A_PAGE
    items = "".join(
        f"<li><div class='username'>读者{number}_{n}</div><div class='text'><p>{words((number + n) % 40, host.get('sentences', 6))}"
        f"（{number}-{n}）</p></div><span class='answer_zan'><font>{n}</font></span>"
        f"<span class='created_time'>2021-03-0{n % 9 + 1} 10:00:00</span>"
        f"<a class='report_reply' data-answer-id='{number}{n:02d}'></a></li>"
        for n in range(first, min(count, first + ANSWERS_A_PAGE))
    )
    padding = SCRIPT * host.get("padding", 0)
    return (
        f"<!DOCTYPE html><html><head><meta charset='utf-8'><title>问题{number}</title>{padding}</head><body><div id='left'>"
        f"<div class='title'><h1>第{number}个问题：我该怎么办</h1><strong>{count}个回答</strong></div>"
        f"<div class='content'><p class='text'>{words(number % 40, 5)}</p></div>"
        f"<ul class='label detail-tag'><li>情绪</li></ul><div id='answer-text' data-question-id='{number}'></div>"
        f"<ul class='content-ans'>{items}</ul></div></body></html>"
    ).encode()


def listing(page: int, host: dict) -> bytes:
    """One page of the list; some links come with a counter behind, and are the same page."""
    first = (page - 1) * ON_A_LIST + 1
    last = min(host["questions"], first + ON_A_LIST - 1)
    items = "".join(
        f"<li><p class='title'><span><a href='/qa/{n}{'?utm_source=list' if n % 3 == 0 else ''}'>问题{n}</a></span></p></li>"
        for n in range(first, last + 1)
    )
    more = f"<a href='/qa?page={page + 1}'>下一页</a>" if last < host["questions"] else ""
    out = "<a href='/private/1'>x</a><a href='https://elsewhere.example/qa/1'>x</a>"
    return (
        f"<html><body><div id='left'><ul class='content'>{items}</ul>{more}{out}</div></body></html>".encode()
    )


def calendar(month: int, host: dict) -> bytes:
    """A month that always has a next one."""
    return (
        f"<html><head><title>第{month}月</title></head><body><article><h1>第{month}月</h1>"
        + "".join(f"<p>{month}-{n}：{words(month + n, 6)}</p>" for n in range(6))
        + "</article>"
        f"<a href='/calendar/{month + 1}'>下个月</a><a href='/calendar/{month + 1}?view=week'>周</a></body></html>"
    ).encode()


class Answer:
    def __init__(
        self, status: int, body: bytes = b"", kind: str = "text/html; charset=utf-8", **headers: str
    ):
        self.status, self.body, self.kind, self.headers = status, body, kind, headers
        self.drop = self.wait_s = 0.0


WAF = b"<html><script>var arg1='0123456789ABCDEF0123456789ABCDEF01234567';document.cookie='acw_sc__v2='</script></html>"
PLAIN = "text/plain"
# What each word in `robots` answers for /robots.txt.
ROBOTS = {
    "allow": lambda: Answer(200, b"User-agent: *\nDisallow: /private/\n", PLAIN),
    "delay": lambda: Answer(200, b"User-agent: psyllm\nCrawl-delay: 0.4\n", PLAIN),
    "deny": lambda: Answer(200, b"User-agent: *\nDisallow: /\n", PLAIN),
    "absent": lambda: Answer(404, b"no", PLAIN),
    "unauthorised": lambda: Answer(401, b"", PLAIN),
    "forbidden": lambda: Answer(403, b"", PLAIN),
    "too_many": lambda: Answer(429, b"", PLAIN),
    "overload": lambda: Answer(503, b"", PLAIN),
    "html": lambda: Answer(200, b"<!DOCTYPE html><html><body>hello</body></html>"),
    "html_as_text": lambda: Answer(200, b"<html><body>hello</body></html>", PLAIN),
    "json": lambda: Answer(200, b'{"code": 1}', "application/json"),
    "waf": lambda: Answer(200, WAF, PLAIN),
    "bytes": lambda: Answer(200, b"User-agent: *\nAllow: /\xff\xfe\xc3\x28\n", PLAIN),
    "huge": lambda: Answer(200, b"# long\n" * 80_000 + b"User-agent: *\nAllow: /\n", PLAIN),
    "loop": lambda: Answer(302, Location="/robots.txt?again=1"),
    "elsewhere": lambda: Answer(302, Location="http://localhost:1/robots.txt"),
    "behind_login": lambda: Answer(302, Location="/admin/login?next=/robots.txt"),
    "moved_away": lambda: Answer(302, Location="/nowhere/robots.txt"),
    "moved": lambda: Answer(301, Location="/files/robots.txt"),
}


class Site:
    """All hosts, and what they were asked."""

    def __init__(self, hosts: list[dict], log: Path):
        self.hosts = hosts
        self.log = log.open("a", buffering=1 << 16)
        self.once: set[tuple[int, str]] = set()

    def write(self, index: int, path: str, headers: dict[str, str], began: float) -> None:
        kept = {
            name: headers[name] for name in ("user-agent", "from", "cookie", "referer") if name in headers
        }
        self.log.write(json.dumps({"at": began, "host": index, "path": path, **kept}) + "\n")

    def answer(self, index: int, target: str) -> Answer:
        host = self.hosts[index]
        parts = urlsplit(target)
        if parts.path in {"/robots.txt", "/files/robots.txt"}:
            return self.robots(host, parts.path)
        fault = self.fault(index, host, target)
        if fault is not None:
            return fault
        body = self.page(host, parts.path, parse_qs(parts.query))
        if body is None:
            return Answer(404, b"<html>gone</html>")
        answer = Answer(200, body, **{"Set-Cookie": "seen=1"})
        answer.wait_s = host.get("wait_s", 0)
        return answer

    def robots(self, host: dict, path: str) -> Answer:
        word = host.get("robots", "allow")
        if path == "/files/robots.txt":
            word = "allow"
        if word == "drop":
            answer = Answer(200)
            answer.drop = 1
        elif word == "slow":
            answer = ROBOTS["deny"]()
            answer.wait_s = 1
        elif word == "silent":
            answer = ROBOTS["allow"]()
            answer.wait_s = 60
        else:
            answer = ROBOTS[word]()
        return answer

    def page(self, host: dict, path: str, query: dict) -> bytes | None:
        number = int((re.findall(r"\d+", path) or ["0"])[-1])
        page = int(query.get("page", ["1"])[0])
        if path == "/qa":
            return listing(page, host)
        if path.startswith("/qa/") and 0 < number <= host["questions"]:
            return question(number, page, host)
        if path.startswith("/calendar/"):
            return calendar(number, host)
        return b"<html>private</html>" if path.startswith("/private/") else None

    def fault(self, index: int, host: dict, target: str) -> Answer | None:
        """Return what goes wrong here: `wall` on the fifth question, and with `faults` many small things once."""
        number = int((re.findall(r"^/qa/(\d+)", target) or ["0"])[0])
        wall = host.get("wall", "")
        if wall and number == 5:
            return walled(wall)
        if not host.get("faults") or (index, target) in self.once:
            return None
        kind = {3: "drop", 7: "429", 11: "503", 13: "500", 17: "slow", 19: "moved", 23: "gone"}.get(
            number % 50
        )
        if number == 0 or kind is None:
            return None
        if kind not in {"moved", "gone"}:
            self.once.add((index, target))
        return faulty(kind, number)


def walled(wall: str) -> Answer:
    if wall == "login":
        return Answer(302, Location="/signin?next=%2Fqa%2F5")
    if wall == "busy":
        return Answer(302, Location="/503-error.html")
    if wall == "forbidden":
        return Answer(403, b"no")
    if wall == "captcha":
        return Answer(200, b"<html><div class='g-recaptcha' data-sitekey='x'></div></html>")
    return Answer(200, WAF)


def faulty(kind: str, number: int) -> Answer:
    if kind in {"429", "503"}:
        return Answer(int(kind), b"busy", **{"Retry-After": "1"})
    if kind == "500":
        return Answer(500, b"busy")
    if kind == "moved":
        return Answer(301, Location=f"/qa/{number + 1}")
    if kind == "gone":
        return Answer(404, b"<html>gone</html>")
    answer = Answer(200, question(number, 1, {}))
    answer.drop = kind == "drop"
    answer.wait_s = 0.3 if kind == "slow" else 0
    return answer


class Connection(asyncio.Protocol):
    """One connection: requests without bodies, one after the other."""

    def __init__(self, site: Site, index: int):
        self.site, self.index, self.buffer = site, index, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            target = first.split(" ")[1]
            self.site.write(self.index, target, headers, time.time())
            answer = self.site.answer(self.index, target)
            if answer.wait_s:
                asyncio.get_running_loop().call_later(answer.wait_s, self.send, answer)
            else:
                self.send(answer)

    def send(self, answer: Answer) -> None:
        if self.transport.is_closing():
            return
        headers = {"Content-Type": answer.kind, "Content-Length": str(len(answer.body)), **answer.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {answer.status} X\r\n{lines}\r\n".encode()
        if answer.drop:
            # Half of the answer, then the connection ends.
            self.transport.write(head + answer.body[: len(answer.body) // 2])
            self.transport.abort()
            return
        self.transport.write(head + answer.body)


async def main(site: Site) -> None:
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(
            lambda index=index: Connection(site, index), "127.0.0.1", host.get("port", 0)
        )
        for index, host in enumerate(site.hosts)
    ]
    sys.stdout.write(json.dumps([server.sockets[0].getsockname()[1] for server in servers]) + "\n")
    sys.stdout.flush()
    done = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, done.set)

    def flush() -> None:
        site.log.flush()
        loop.call_later(0.05, flush)

    flush()
    await done.wait()
    site.log.close()


if __name__ == "__main__":
    asyncio.run(main(Site(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))))
