"""What the paper's recipe starts from, in small: texts with sense, and both bases in their published layouts."""

import io
import json
import random
from pathlib import Path

import sentencepiece
import torch

from lm.pangu_small import published_config, published_weights, write_folder
from lm.published import wenzhong_folder
from psyllm.lm.pangu_config import GPTPanguConfig
from psyllm.lm.pangu_model import GPTPanguForCausalLM
from psyllm.lm.pangu_tokenizer import joined

POSITIONS = 256
# ids 3 to 9 of the published vocab.model
PANGU_PIECES = ("\u2583", "\u2582", "<sep>", "<pad>", "<mask>", "<eod>", "<eot>")

WHEN = "最近两个星期,自从换了工作,这个学期开始,搬家以后,放假回家这几天,临近考试,和朋友闹翻之后,孩子上学以来"
WHAT = "我晚上总是睡不着,我一想到明天就心慌,我常常无缘无故地想哭,我不想和任何人说话,我对什么都提不起兴趣,我总觉得自己不够好,我和父母一说话就吵,我吃不下东西"
SINCE = "白天上课和上班都没有精神,同事问我怎么了我也说不清楚,妈妈说我是想得太多,朋友都在忙自己的事情,我试过跑步和听音乐,医生说身体没有问题,我在日记里写了很多,我怕别人觉得我奇怪"
ASK = "我该怎么办,这样正常吗,要不要去看心理咨询师,怎样才能好一点,有没有人和我一样,我可以做些什么"
HEARD = "谢谢你愿意把这些写下来,听起来这段时间你过得很不容易,能看出你已经努力了很久,换了谁遇到这些都会难受,你的感受很真实也很重要,先抱抱这样辛苦的你"
WHY = "压力大的时候身体会先发出信号,睡眠往往是最早受影响的,人在变化里感到不安是很自然的,心慌常常来自对没有发生的事的担心,总是责备自己会让力气越来越少,长期忍着不说会让情绪积在心里"
TRY = "可以先固定每天起床的时间,睡前一小时把手机放到别的房间,每天找十分钟只是慢慢地呼吸,把担心的事一条一条写在纸上,找一个信任的人说一说今天的心情,试着每天出门走二十分钟,把大的任务分成今天能做完的一小步"
END = "如果两三个星期还没有好转可以去医院的心理科看看,慢慢来不必一下子就好,你并不需要一个人扛着,也欢迎你再来说说后来怎么样,照顾自己不是自私,愿你今晚能睡一个好觉"


def sentence(chance: random.Random, *pools: str) -> str:
    return "，".join(chance.choice(pool.split(",")) for pool in pools) + "。"


def psyqa(count: int, seed: int = 1) -> list[dict]:
    """Return questions in PsyQA's form."""
    chance = random.Random(seed)
    return [
        {
            "question": sentence(chance, WHEN, WHAT)[:-1] + "，" + chance.choice(ASK.split(",")) + "？",
            "description": sentence(chance, WHEN, WHAT, SINCE) + sentence(chance, WHAT, SINCE),
            "keywords": "情绪,焦虑",
            "answers": [
                {
                    "answer_text": sentence(chance, HEARD, WHY)
                    + sentence(chance, TRY, TRY)
                    + sentence(chance, WHY, TRY)
                    + sentence(chance, END),
                    "has_label": False,
                    "labels_sequence": None,
                }
            ],
            "questionID": number,
        }
        for number in range(count)
    ]


def articles(count: int, seed: int = 2) -> list[str]:
    """Return texts such as the first stage learns from."""
    chance = random.Random(seed)
    return [
        "\n".join(
            sentence(chance, WHY, WHY) + sentence(chance, TRY, WHY, TRY) + sentence(chance, WHY, END)
            for _ in range(6)
        )
        for _ in range(count)
    ]


def pangu_folder(folder: Path, texts: list[str], pieces: int = 400) -> Path:
    """Write a PanGu as the 350M is published: fp16 without buffers and head, vocab.model, no end named."""
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([joined(line) for text in texts for line in text.splitlines()]),
        model_writer=made,
        vocab_size=pieces,
        model_type="unigram",
        normalization_rule_name="nmt_nfkc",
        user_defined_symbols=list(PANGU_PIECES),
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    torch.manual_seed(6)
    found = sentencepiece.SentencePieceProcessor(model_proto=made.getvalue())
    config = GPTPanguConfig(
        vocab_size=found.get_piece_size(),
        max_position_embeddings=POSITIONS,
        hidden_size=32,
        num_layers=3,
        num_heads=2,
    )
    model = GPTPanguForCausalLM(config)
    write_folder(folder, published_config(model, pad_token_id=6), published_weights(model, half=True))
    (folder / "vocab.model").write_bytes(made.getvalue())
    return folder


def bases(root: Path) -> dict[str, Path]:
    """Write both; return their folders by the name of the preset that is for them."""
    texts = [*articles(20), *(one["answers"][0]["answer_text"] + one["description"] for one in psyqa(40))]
    pangu_folder(root / "pangu-350m", texts)
    wenzhong_folder(root / "wenzhong-110m", positions=POSITIONS)
    return {f"paper-{name}": root / name for name in ("pangu-350m", "wenzhong-110m")}


def write_words(root: Path) -> tuple[Path, Path]:
    """Write both sources as a user has them: a file in PsyQA's form, and a folder of texts."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "psyqa.json").write_text(json.dumps(psyqa(90), ensure_ascii=False), "utf-8")
    (root / "articles").mkdir()
    for number, text in enumerate(articles(40)):
        (root / "articles" / f"{number}.md").write_text(f"# 第{number}篇\n\n{text}\n", "utf-8")
    return root / "psyqa.json", root / "articles"
