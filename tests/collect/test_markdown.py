from psyllm.collect.formats import recognise
from psyllm.collect.markdown import front_matter, is_markdown
from psyllm.collect.source import Source

ARTICLE = """---
comments: true
description: 一句话
search:
  boost: 1.6
synonyms:

- 正念练习

tags:

- tx:创伤治疗
- "sx:创伤症状"

title: '正念(Mindfulness)'
topic: 创伤与疗愈
---

# 正念(Mindfulness)

## 定义

**正念** 是一种[专注](a.md)[^1]。

## 参考资料

[^1]: Bishop (2004).
"""


def read(folder):
    form = recognise(folder)
    assert form.name == "Markdown files"
    return list(form.read(folder, Source("wiki", "CC-BY-SA-4.0")))


def test_title_topic_and_keywords_come_from_the_front_matter(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "Mindfulness.md").write_text(ARTICLE, "utf-8")
    (record,) = read(tmp_path)
    assert (record.id, record.kind) == ("wiki:a/Mindfulness", "document")
    assert (record.title, record.topic) == ("正念(Mindfulness)", "创伤与疗愈")
    assert record.keywords == ("tx:创伤治疗", "sx:创伤症状")
    assert record.text == "定义\n正念 是一种专注。"


def test_without_front_matter_the_first_heading_is_the_title(tmp_path):
    (tmp_path / "a").write_text("# **睡眠** 卫生\n\n早睡。\n", "utf-8")
    (record,) = read(tmp_path / "a")
    assert (record.title, record.text) == ("睡眠 卫生", "早睡。")


def test_deeper_entries_and_bracketed_lists_of_the_front_matter():
    entries, lists, body = front_matter(
        "---\ntitle: 甲: 乙\nsearch:\n  boost: 2\nkeywords: [a, 'b']\n---\n正文"
    )
    assert entries == {"title": "甲: 乙", "search": ""}
    assert lists == {"keywords": ["a", "b"]}
    assert body == "正文"


def test_a_rule_in_the_middle_is_no_front_matter():
    assert front_matter("正文\n---\ntitle: 甲\n---\n")[2].startswith("正文")


def test_plain_text_is_no_markdown():
    assert not is_markdown("只是一段话。\n#没有空格")
    assert is_markdown("正文\n## 标题\n")


def test_address_date_and_licence_stay_and_the_author_is_cut(tmp_path):
    head = "---\ntitle: 睡眠\nauthor: 王某\nurl: https://a.example/1\ndate: 2026-01-02\nlicense: CC-BY-4.0\n---\n"
    (tmp_path / "a.md").write_text(head + "# 睡眠\n早睡。\n", "utf-8")
    (tmp_path / "b.md").write_text("# 睡眠\n早起。\n", "utf-8")
    source = Source("wiki", "CC-BY-SA-4.0")
    one, two = recognise(tmp_path).read(tmp_path, source)
    assert (one.url, one.written_at, one.licence) == ("https://a.example/1", "2026-01-02", "CC-BY-4.0")
    assert (two.url, two.written_at, two.licence) == ("", "", "CC-BY-SA-4.0")
    assert "王某" not in one.model_dump_json()
    assert source.parts_left_out == {"author": 1}


def test_files_in_gbk_are_read(tmp_path):
    (tmp_path / "a.md").write_text("# 睡眠的方法\n我最近总是睡不着，不知道怎么办。\n", "gbk")
    source = Source("wiki", "MIT")
    (record,) = recognise(tmp_path).read(tmp_path, source)
    assert record.title == "睡眠的方法"
    assert source.decoding.found == {"GB18030": 1}
