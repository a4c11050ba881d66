from hypothesis import given
from hypothesis import strategies as st

from psyllm.text.parts_of_speech import tagged_words


def test_words_come_with_their_tags():
    assert tagged_words("我很难过。") == [("我", "r"), ("很", "zg"), ("难过", "v"), ("。", "x")]


@given(st.text(alphabet="我很难过的了。，\n 1a😀", max_size=60))
def test_the_words_joined_are_the_text(text):
    assert "".join(word for word, _ in tagged_words(text)) == text
