from psyllm.collect.crawl.worker_process import kind_and_place


def test_what_broke_is_told_without_its_words():
    try:
        int("我昨晚写好了遗书")
    except ValueError as error:
        said = kind_and_place(error)
    assert said.startswith("ValueError at test_worker_process.py:")
    assert "遗书" not in said
