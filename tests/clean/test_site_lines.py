from psyllm.clean.drop import Drop
from psyllm.clean.site_lines import take_out_site_lines, without_site_lines
from psyllm.core.records import Answer, Record, Turn

ADVICE = "睡前把担心的事写下来，第二天再看，多半没有想的那么糟。"
ADVERT = "情绪管理训练营正在招募，点击下方链接了解。原价399元，现在只需99元！"


def record(kind, **fields):
    return Record(id="a:1", kind=kind, group="a:1", source="a", licence="x", **fields)


def test_only_the_sentence_goes():
    text = "试着早点睡。如果觉得有用，请点击“有用”。\n慢慢来。"
    assert without_site_lines(text).text == "试着早点睡。慢慢来。"


def test_spans_move_with_the_words():
    folded = without_site_lines("我是答疑馆小耳朵。试着早点睡。欢迎关注我！")
    assert folded.text == "试着早点睡。"
    assert folded.offsets.span(9, 15) == (0, 6)
    assert folded.offsets.span(0, 9) is None
    assert folded.offsets.span(12, 21) == (3, 6)


def test_a_text_without_such_lines_is_the_same():
    assert without_site_lines("试着早点睡。").offsets.passes == ()


def test_an_answer_that_advertises_goes_as_a_whole_and_the_others_stay():
    answers = (Answer(text=ADVERT), Answer(text=ADVICE + "微信：〔微信〕，备注来意。"))
    found = take_out_site_lines(record("question", title="睡不着怎么办？", answers=answers))
    assert [answer.text for answer in found.answers] == [ADVICE]
    only = record("question", title="睡不着怎么办？", answers=answers[:1])
    assert take_out_site_lines(only) == Drop("advertisement")


def test_a_visitors_words_are_never_taken():
    turns = (Turn(role="visitor", text=ADVERT), Turn(role="counsellor", text=ADVICE))
    given = record("dialogue", turns=turns)
    assert take_out_site_lines(given) is given
    asked = record("question", title=ADVERT, text=ADVERT, answers=(Answer(text=ADVICE),))
    assert take_out_site_lines(asked) is asked


def test_articles_lose_advertisements_and_keep_what_only_signatures_of_answers_say():
    text = f"{ADVICE}\n作者：小三\n长按识别下方二维码，进入专属测评。\n可以看一位国家二级心理咨询师。"
    found = take_out_site_lines(record("document", title="睡眠", text=text))
    assert found.text == f"{ADVICE}\n可以看一位国家二级心理咨询师。"
    assert take_out_site_lines(record("document", title="课程", text=ADVERT)) == Drop("advertisement")


def test_a_sentence_cut_by_the_site_goes_with_its_button():
    text = f"{ADVICE}我们常常以为自己不够好，其实…展开全文"
    assert without_site_lines(text).text == ADVICE
