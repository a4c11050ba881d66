import subprocess
import sys
import time

import pytest

import made_threads as threads
import site_pages as made
from psyllm.collect.sites.authors import Authors
from psyllm.collect.sites.choose import adapters, choose
from psyllm.collect.sites.contract import Page
from psyllm.collect.sites.extraction import Extraction
from psyllm.collect.sites.generic import Generic
from psyllm.core.errors import MissingExtra

AUTHORS = Authors(b"k" * 32)
LONG = "\n".join(
    f"第{place}段：晚上散步的时候，我常常想起小时候的院子和那棵树，心里慢慢安静下来。" for place in range(12)
)
THREAD = threads.Thread(5, "散步和安静", LONG)


@pytest.fixture(scope="module")
def site():
    generic = Generic()
    yield generic
    generic.close()


def read(site, variant="", thread=THREAD):
    return site.read(
        Page(made.url_of("other", 5), made.other_article(thread, 1, variant), "", "2020-01-01T00:00:00Z"),
        AUTHORS,
    )


@pytest.mark.parametrize("variant", ["", "gbk", "gbk_declared_utf8"])
def test_an_unknown_page_is_a_document(site, variant):
    reading = read(site, variant)
    (draft,) = site.assemble(site.thread_of(made.url_of("other", 5)), [reading])
    assert (draft.kind, draft.title) == ("document", THREAD.title)
    lines = draft.text.split("\n")
    assert [line for line in LONG.split("\n") if line not in lines] == []
    assert "关于我们" not in draft.text
    assert draft.url == made.url_of("other", 5)


def test_all_answers_of_an_unknown_forum_stay(site):
    body = made.yixinli_question(threads.thread(5, 10))
    (piece,) = site.read(Page("https://forum.example/5", body), AUTHORS).pieces
    assert all(f"第{place}条" in piece.text for place in range(1, 11))


def test_links_stay_on_the_host_and_lead_to_pages(site):
    assert [link.url for link in read(site).links] == [
        "https://clinic.example/about",
        "https://clinic.example/other-6.html",
    ]


def test_a_page_that_asks_not_to_be_indexed_is_left_out(site):
    assert read(site, "noindex") == (((), (), "", 1, ("page_asks_not_to_be_indexed",)))


@pytest.mark.parametrize("variant", ["waf", "captcha", "login", "overload"])
def test_walls_are_told_though_they_have_words(site, variant):
    assert (read(site, variant).stop, read(site, variant).pieces) == (variant, ())


CRIES = {
    "of a deletion": "我发的帖子已被删除了，没有人愿意听我说话。今晚我想从楼上跳下去，算了吧，不重要了。",
    "of a note": "我真的撑不下去了，昨晚写好了遗书，不知道还能和谁说。求求有人回我一句话。",
    "of a title": "我把门关上了，药在手里。",
}
AROUND = {
    "nothing": "",
    "a login box": "<form><input name='u'><input type='password'><a href='/login'>登录</a></form>",
    "a notice in a margin": "<aside>该内容已被删除</aside><script>var captcha = '请完成安全验证'</script>",
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("cry", CRIES)
def test_a_short_cry_for_help_is_heard_whatever_stands_around_it(site, cry, around):
    title = "404 出错了" if cry == "of a title" else "求助"
    body = (
        f"<html><head><title>{title}</title></head><body>{AROUND[around]}"
        f"<article><h1>求助</h1><p>{CRIES[cry]}</p></article></body></html>"
    )
    reading = site.read(Page("https://forum.example/5", body.encode(), "text/html"), AUTHORS)
    assert reading.stop == ""
    assert [(piece.kind, CRIES[cry] in piece.text) for piece in reading.pieces] == [("article", True)]


def test_a_cry_about_a_deletion_leaves_the_earlier_copy_of_its_page(site):
    words = "帖子已被删除，我想死"
    body = f"<html><body><article><p>{words}</p></article></body></html>".encode()
    url = made.url_of("other", 5)
    reading = site.read(Page(url, body, "", "2021-01-01T00:00:00Z"), AUTHORS)
    (draft,) = site.assemble(site.thread_of(url), [read(site), reading])
    assert draft.text == words


def test_a_page_taken_down_takes_its_earlier_copy_with_it(site):
    thread = site.thread_of(made.url_of("other", 5))
    assert list(site.assemble(thread, [read(site), read(site, "deleted")])) == []


def test_a_page_without_text_is_counted(site):
    assert read(site, "nothing").left_out == ("no_text_found",)


@pytest.fixture
def extraction():
    one = Extraction(2, "site_extractors:slow_or_dying")
    yield one
    one.close()


def test_a_page_that_hangs_is_killed_and_the_next_one_works(extraction):
    assert extraction.extract("一", "https://a.example/") == ("题", "一", "2020-01-02", "")
    first = extraction._worker
    began = time.monotonic()
    assert extraction.extract("二", "https://a.example/slow").failure == "page_takes_too_long"
    assert time.monotonic() - began < 20
    assert first.poll() is not None
    assert extraction.extract("三", "https://a.example/").text == "三"


def test_a_page_that_ends_the_worker_is_told_and_the_next_one_works(extraction):
    assert extraction.extract("一", "https://a.example/dies").failure == "page_breaks_the_extractor"
    assert extraction.extract("三", "https://a.example/").text == "三"


def test_a_worker_that_can_not_start_is_an_error_and_no_count():
    with pytest.raises(MissingExtra, match="does not start"):
        Extraction(1, "psyllm.no_such_module:nothing").extract("一", "https://a.example/")


def test_a_page_larger_than_a_pipe_goes_through():
    extraction = Extraction(60, "site_extractors:slow_or_dying")
    assert len(extraction.extract("长" * 2_000_000, "https://a.example/").text) == 2_000_000


def test_a_program_without_a_guarded_main_can_extract(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from psyllm.collect.sites.extraction import Extraction\n"
        "one = Extraction()\n"
        "page = '<article><h1>题</h1>' + '<p>晚上散步的时候，我常常想起小时候的院子。</p>' * 9 + '</article>'\n"
        "print(len(one.extract(page, 'https://a.example/').text) > 100)\n",
        "utf-8",
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_the_adapter_is_chosen_by_host_else_the_generic_one():
    known = adapters({"yixinli": "http://127.0.0.1:8123"})
    assert choose("http://127.0.0.1:8123/qa/5", known).name == "yixinli"
    assert choose("https://zhuanlan.zhihu.com/p/1", known).name == "zhihu"
    assert choose("http://bbs.tianya.cn/post-free-1-1.shtml", known).name == "tianya"
    assert choose("https://www.xinli001.com/qa/5", known).name == "generic"
    with pytest.raises(LookupError):
        choose("https://a.example/", known[:3])
