"""How much personal data is found, and how often something else is taken for it.

Reads the folder of outside test data (PSYLLM_TEST_DATA, default ../shared/data).
Made-up values in the sentences of pii_templates.toml are planted into real
dialogues; recall (every character of the value masked) comes out by type with
Wilson intervals, for the half of the sentences that the rules were tuned on
and for the other half, beside the rules of an earlier commit. Then finds in
the untouched dialogues and articles are counted; `--show` prints them with
their neighbours, to be judged by hand. No text is written anywhere.

    python bench/pii.py [--show] [--half tuning]
"""

import argparse
import importlib.util
import json
import lzma
import os
import random
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import opencc

from psyllm.safety.report import wilson
from psyllm.text.pii import find_pii

HERE = Path(__file__).parent
DATA = Path(os.environ.get("PSYLLM_TEST_DATA", HERE.parent.parent / "shared" / "data"))
SEED = 20261125
EARLIER = "f1bc7b5"  # the last commit with five kinds in one file
FILLS = 40  # of each sentence
PLATES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
FULL_WIDTH = {ord(digit): chr(ord(digit) + 0xFEE0) for digit in "0123456789"}
CHINESE = dict(zip(map(ord, "0123456789"), "零一二三四五六七八九", strict=True))
PLACES = "云水安平福宁长青延和古翠海棠阳光明德新华朝晖文昌金桂玉泉红星建业东湖南山西溪北苑龙泉"
CITIES = (
    "杭州市西湖区",
    "上海市静安区",
    "成都市武侯区",
    "苏州市",
    "北京市朝阳区",
    "长沙市岳麓区",
    "平阳县水头镇",
    "",
)
SURNAMES = (
    "王王王王李李李李张张张张刘刘刘陈陈陈杨杨黄黄赵赵吴吴周周徐孙马朱胡郭何何高高林林罗郑梁谢宋唐许许韩冯邓曹彭曾肖田董潘袁蔡蒋余"
    "于于杜叶程程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛段雷黎史龙钱贺陶顾龚邵万严洪武莫孔汤常温康施牛"
)
COMPOUND = ("欧阳", "司马", "上官", "诸葛", "慕容")
GIVEN = (
    "伟 芳 娜 敏 静 强 磊 洋 艳 勇 军 杰 娟 涛 超 霞 平 刚 桂英 秀兰 建华 志强 晓东 丽丽 雪梅 海燕 国庆 子轩 雨桐 浩然 欣怡 梓涵 一诺 诗涵 宇航 "
    "佳琪 思远 文博 若曦 嘉怡 天佑 泽宇 俊杰 明轩 梦瑶 晨曦 可欣 依诺 皓宇 睿 琳 倩 颖 婷 凯 鑫 鹏 斌 波 辉 健 亮 峰 洁 莹 玲 慧 倩倩 婷婷 "
    "春花 德胜 家豪 永红 振宇 立新 淑芬 彦霖 沛然 望舒 知夏 砚秋 以宁 屿 栩 昱 玥 妤 奕辰 苡沫 芷若 清扬 卫东 红梅 大勇 小红 满仓 来福 "
    "仲谋 绍辉 培源 承志 耀祖 光耀 学文 时雨 行健 念慈 安琪 乐怡 凤英 秋菊 巧玲 爱国 保国 金凤 银花 翠花 二丫 铁柱"
).split()

# For the half that was held out: other given names, so that no list was fitted to them.
GIVEN_HELD_OUT = (
    "建军 丽萍 志刚 春梅 海涛 晓明 文娟 国强 玉兰 少华 雅琴 振华 巧云 宏伟 美玲 世杰 佩珊 俊杰 怡君 承恩 子墨 语嫣 一鸣 沐阳 亦菲 雨泽 思琪 嘉豪 芷晴 皓轩 "
    "岩 蓓 茜 晖 恺 麟 骥 璐 菁 蕾 旭 峥 昀 珂 冉 澈 楠 阔 铮 淼 桂花 根宝 来娣 招弟 长贵 树林 满堂 得水 跃进 援朝 向阳 胜男 若男 亚楠 晓萌 小雨 "
    "天宇 星辰 书瑶 清婉 墨言 景行 知远 慕白 南乔 意欢 安然 平川 有为 守正 大川 立冬 谷雨 初雪 半夏 采薇"
).split()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--show", action="store_true", help="print every find in the real texts")
    parser.add_argument(
        "--half", choices=("tuning", "both"), default="both", help="which sentences are planted"
    )
    parser.add_argument("--missed", action="store_true", help="print what the tuning half misses")
    asked = parser.parse_args()
    dialogues = read_dialogues()
    print_recall(dialogues, asked.half, show_missed=asked.missed)
    print_speed(dialogues)
    print_alarms("SmileChat", dialogues, show=asked.show)
    print_alarms("psywiki", read_articles(), show=asked.show)


def print_recall(dialogues: list[str], half: str, *, show_missed: bool) -> None:
    tables = tomllib.loads((HERE / "pii_templates.toml").read_text("utf-8"))
    earlier = earlier_rules()
    converter = opencc.OpenCC("s2t")
    halves = ("tuning", "held out") if half == "both" else ("tuning",)
    print(f"recall of planted data, {FILLS} fills of each sentence; earlier rules: {EARLIER}")
    print(f"{'':12}" + "".join(f"{one:>26}" for one in (*halves, "traditional", "earlier")))
    for kind, row in tables.items():
        if kind == "negative":
            continue
        cells = []
        everything: list[tuple[str, int, int]] = []
        for number, _ in enumerate(halves):
            given = GIVEN_HELD_OUT if number else GIVEN
            planted = plant(kind, row.split("\n")[:-1][number::2], dialogues, given)
            cells.append(covered(planted, kind, find_pii, show_missed=show_missed and number == 0))
            everything += planted
        traditional = [(converter.convert(text), start, end) for text, start, end in everything[::4]]
        whole = [
            one for one, old in zip(traditional, everything[::4], strict=True) if len(one[0]) == len(old[0])
        ]
        cells.append(covered(whole, kind, find_pii))
        cells.append(covered(everything, kind, earlier.find_pii))
        print(f"{kind:12}" + "".join(f"{cell:>26}" for cell in cells))
    lines = tables["negative"].split("\n")[:-1]
    for number, name in enumerate(halves):
        planted = plant("negative", lines[number::2], dialogues)
        false = [(text, start, end) for text, start, end in planted if touched(text, start, end)]
        low, high = wilson(len(false), len(planted))
        kinds = Counter(lines_without_digits(text[start:end]) for text, start, end in false)
        print(
            f"look-alikes masked, {name}: {len(false)} of {len(planted)} [{low:.4f}, {high:.4f}] {dict(kinds)}"
        )


def plant(
    kind: str, sentences: Sequence[str], dialogues: list[str], given: Sequence[str] = GIVEN
) -> list[tuple[str, int, int]]:
    """Return texts with where the value (for look-alikes the whole sentence) stands."""
    rng = random.Random(f"{SEED} {kind} {sentences[0]}")
    planted = []
    for sentence in sentences:
        for _ in range(FILLS):
            text = rng.choice(dialogues)
            ends = [match.end() for match in re.finditer("[。！？\n]", text)] or [0]
            at = rng.choice(ends)
            slot = re.search(r"\{(\w+)\}", sentence)
            if kind == "negative" or slot is None:
                filled = re.sub(r"\{(\w+)\}", lambda match: MAKERS[match[1]](rng), sentence)
                start, end = 0, len(filled)
            else:
                value = (
                    name(rng, given) if kind == "name" else MAKERS[kind if slot[1] == "x" else slot[1]](rng)
                )
                filled = sentence.replace(slot[0], value)
                start, end = slot.start(), slot.start() + len(value)
            stop = "" if filled[-1] in "。！？" else rng.choice("。，\n")
            planted.append((text[:at] + filled + stop + text[at:], at + start, at + end))
    return planted


def covered(
    planted: Sequence[tuple[str, int, int]], kind: str, find: Callable[[str], list[tuple[str, int, int]]], *,
    show_missed: bool = False,
) -> str:  # fmt: skip
    found = 0
    for text, start, end in planted:
        hidden = {place for _, first, last in find(text) for place in range(first, last)}
        letters = {place for place in range(start, end) if text[place].isalnum()}
        found += letters <= hidden
        if show_missed and not letters <= hidden:
            print(
                f"  missed {kind}: {text[max(0, start - 10) : start]}[{text[start:end]}]{text[end : end + 6]!r}"
            )
    low, high = wilson(found, len(planted))
    return f"{found / len(planted):.3f} [{low:.3f}, {high:.3f}]"


def touched(text: str, start: int, end: int) -> bool:
    return any(first < end and last > start for _, first, last in find_pii(text))


def lines_without_digits(text: str) -> str:
    return re.sub("[0-9]+", "0", text)


def print_speed(dialogues: list[str]) -> None:
    sample = dialogues[:8000]
    find_pii(sample[0])
    start = time.process_time()
    for text in sample:
        find_pii(text)
    spent_s = time.process_time() - start
    print(f"\nspeed on one core: {sum(len(text.encode()) for text in sample) / 1e6 / spent_s:.1f} MB/s")


def print_alarms(name: str, texts: list[str], *, show: bool) -> None:
    kinds: Counter[str] = Counter()
    with_pattern = with_name = 0
    for text in texts:
        spans = find_pii(text)
        kinds.update(span.kind for span in spans)
        with_name += any(span.kind == "name" for span in spans)
        with_pattern += any(span.kind != "name" for span in spans)
        for kind, start, end in spans if show else ():
            around = text[max(0, start - 12) : start] + "[" + text[start:end] + "]" + text[end : end + 8]
            print(f"  {kind:10} {around!r}")
    each = 1000 / len(texts)
    print(f"{name}, {len(texts)} untouched texts: finds {dict(kinds.most_common())};", end=" ")
    print(
        f"texts with a patterned find {with_pattern * each:.2f}, with a name {with_name * each:.2f} per 1,000"
    )


def read_dialogues() -> list[str]:
    with lzma.open(DATA / "smilechat" / "train.jsonl.xz", "rt", encoding="utf-8") as lines:
        return ["\n".join(turn["content"] for turn in json.loads(line)["dialog"]) for line in lines]


def read_articles() -> list[str]:
    with tarfile.open(DATA / "psywiki" / "docs.tar.xz") as archive:
        files = [archive.extractfile(one) for one in archive if one.name.endswith(".md")]
        return [file.read().decode("utf-8") for file in files if file is not None]


def earlier_rules() -> ModuleType:
    """Return the module `text/pii.py` as it was, loaded from the repository's history."""
    command = ["git", "show", f"{EARLIER}:src/psyllm/text/pii.py"]
    source = subprocess.run(command, check=True, capture_output=True, cwd=HERE).stdout
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "earlier_pii.py"
        path.write_bytes(source)
        specification = importlib.util.spec_from_file_location("earlier_pii", path)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        sys.modules["earlier_pii"] = module
        specification.loader.exec_module(module)
    return module


def digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(count))


def phone(rng: random.Random) -> str:
    number = "1" + rng.choice("3456789") + digits(rng, 9)
    parts = number[:3], number[3:7], number[7:]
    landline = "0" + rng.choice(("10", "21", "571", "755")) + "-" + rng.choice("5678") + digits(rng, 7)
    forms = (
        number,
        number,
        number,
        "-".join(parts),
        " ".join(parts),
        "+86 " + number,
        number.translate(FULL_WIDTH),
    )
    return rng.choice((*forms, number.translate(CHINESE), landline))


def id_number(rng: random.Random) -> str:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    day = f"{rng.randint(1950, 2012)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
    number = rng.choice(("110105", "330106", "440305", "510107", "320508")) + day + digits(rng, 3)
    number += "10X98765432"[sum(w * int(d) for w, d in zip(weights, number, strict=True)) % 11]
    spaced = f"{number[:6]} {number[6:14]} {number[14:]}"
    return rng.choice((number, number, number.lower(), spaced, number.translate(FULL_WIDTH)))


def passport(rng: random.Random) -> str:
    return rng.choice(
        ("E" + digits(rng, 8), "E" + rng.choice("ABCDEF") + digits(rng, 7), "C" + digits(rng, 8))
    )


def record_number(rng: random.Random) -> str:
    return rng.choice(("20", "19", "31")) + digits(rng, rng.randint(6, 10))


def word(rng: random.Random, least: int, most: int) -> str:
    return "".join(rng.choice(LETTERS) for _ in range(rng.randint(least, most)))


def email(rng: random.Random) -> str:
    name = rng.choice(
        (
            digits(rng, 9),
            word(rng, 3, 8),
            f"{word(rng, 2, 5)}.{word(rng, 2, 6)}",
            f"{word(rng, 3, 6)}_{digits(rng, 2)}",
        )
    )
    at = rng.choice(("@", "@", "@", "@", "\uff20", " @ "))
    return (
        name
        + at
        + rng.choice(("qq.com", "163.com", "126.com", "gmail.com", "mail.example.edu.cn", "outlook.com"))
    )


def wechat(rng: random.Random) -> str:
    forms = (
        f"{word(rng, 4, 8)}{digits(rng, 3)}",
        f"{word(rng, 3, 6)}_{digits(rng, 2)}",
        f"wxid_{word(rng, 3, 6)}{digits(rng, 6)}",
    )
    return rng.choice(
        (
            *forms,
            f"{word(rng, 3, 5)}-{digits(rng, 4)}",
            digits(rng, 0) + "1" + rng.choice("35789") + digits(rng, 9),
        )
    )


def qq(rng: random.Random) -> str:
    return rng.choice("123456789") + digits(rng, rng.randint(6, 9))


def bank_card(rng: random.Random) -> str:
    number = rng.choice(("6222", "6217", "6228", "6212", "6230")) + digits(rng, rng.choice((11, 14)))
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in number[::-2])
    number += str(-(doubled + sum(int(digit) for digit in number[-2::-2])) % 10)
    spaced = " ".join(number[start : start + 4] for start in range(0, len(number), 4))
    return rng.choice((number, number, spaced, number.translate(FULL_WIDTH)))


def plate(rng: random.Random) -> str:
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    head = rng.choice(PLATES) + rng.choice(letters[:10])
    tail = "".join(rng.choice("0123456789" * 3 + letters) for _ in range(4)) + rng.choice("0123456789")
    green = rng.choice("DF") + digits(rng, 5)
    return head + rng.choice(("", "", "·", " ")) + rng.choice((tail, tail, green, tail.lower()))


def place(rng: random.Random, least: int = 2, most: int = 3) -> str:
    return "".join(rng.choice(PLACES) for _ in range(rng.randint(least, most)))


def address(rng: random.Random) -> str:
    city = rng.choice(CITIES)
    road = place(rng) + rng.choice(("路", "街", "大道", "巷"))
    estate = place(rng) + rng.choice(("小区", "花园", "公寓", "家园", "苑", "新村", "大厦"))
    block = f"{rng.randint(1, 40)}{rng.choice(('栋', '幢', '号楼', '座'))}"
    room = f"{rng.randint(1, 30)}{rng.randint(1, 9):02}室"
    number = f"{rng.randint(1, 999)}号"
    unit = f"{rng.randint(1, 5)}单元"
    forms = (
        city + road + number,
        city + road + number + block + room,
        city + road + number + estate + block + unit + room[:-1],
        city + estate + block + unit + room,
        city + estate + block,
        f"{estate}{rng.randint(1, 30)}-{rng.randint(1, 4)}-{rng.randint(101, 999)}",
        f"{city}{road}{rng.randint(1, 900)}弄{number}{room}",
        f"{city or '水头镇'}{place(rng, 2, 2)}村{rng.randint(1, 12)}组",
        f"{city}{road}{rng.choice('一二三四五六七八九')}十{rng.choice('一二三四五')}号",
    )
    return rng.choice(forms)


def birth_date(rng: random.Random) -> str:
    year, month, day = rng.randint(1950, 2022), rng.randint(1, 12), rng.randint(1, 28)
    forms = (
        f"{year}年{month}月{day}日",
        f"{year}年{month}月{day}号",
        f"{year}-{month:02}-{day:02}",
        f"{year}.{month}.{day}",
    )
    return rng.choice((*forms, f"{year}/{month}/{day}", f"{year % 100:02}年{month}月{day}日"))


def handle(rng: random.Random) -> str:
    return rng.choice(
        (
            f"{word(rng, 4, 8)}_{digits(rng, 2)}",
            f"{word(rng, 3, 6)}{digits(rng, 4)}",
            f"{place(rng)}_{digits(rng, 3)}",
            f"{word(rng, 3, 5)}.{word(rng, 3, 5)}",
        )
    )


def profile(rng: random.Random) -> str:
    head = rng.choice(("https://", "https://www.", "www.", "", "http://"))
    name = f"{word(rng, 3, 6)}-{digits(rng, 2)}"
    number = digits(rng, 9)
    forms = (
        f"{head}zhihu.com/people/{name}", f"{head}weibo.com/u/1{number}", f"{head}douban.com/people/{number}",
        f"https://space.bilibili.com/{number}", f"{head}xiaohongshu.com/user/profile/5{number}a", f"https://v.douyin.com/{word(rng, 6, 7)}/",
        f"https://m.weibo.cn/profile/{number}", f"https://user.qzone.qq.com/{number}", f"{head}jianshu.com/u/{word(rng, 6, 9)}", f"{head}instagram.com/{word(rng, 4, 9)}",
    )  # fmt: skip
    return rng.choice(forms)


def school(rng: random.Random) -> str:
    city = rng.choice(("杭州", "长沙", "水头镇", "", ""))
    number = rng.choice(("（3）班", "5班", "(12)班", "七班"))
    forms = (
        city + place(rng, 2, 2) + "中学" + rng.choice(("高一", "高二", "高三", "初一", "初三")) + number,
        city + place(rng, 2, 2) + "小学" + rng.choice("二三四五六") + "年级" + number,
        city + rng.choice(("一中", "二中", "附中", "实验中学")) + rng.choice(("高一", "初二")) + number,
        place(rng, 2, 2)
        + "大学"
        + rng.choice(("心理系", "计算机学院", ""))
        + rng.choice(("2019级", "21级", "大二"))
        + number,
    )
    return rng.choice(forms)


def name(rng: random.Random, given: Sequence[str]) -> str:
    surname = rng.choice(COMPOUND) if rng.random() < 0.02 else rng.choice(SURNAMES)
    return surname + rng.choice(given)


def order(rng: random.Random) -> str:
    return rng.choice(("SF", "YT", "", "2026", "DD")) + digits(rng, rng.randint(12, 14))


def date(rng: random.Random) -> str:
    year, month, day = rng.randint(2000, 2026), rng.randint(1, 12), rng.randint(1, 28)
    return rng.choice(
        (
            f"{year}年{month}月{day}日",
            f"{year}-{month:02}-{day:02}",
            f"{month}月{day}号",
            f"{year}.{month}.{day}",
        )
    )


MAKERS: dict[str, Callable[[random.Random], str]] = {
    "phone": phone, "id_number": id_number, "p": passport, "n": record_number, "email": email, "wechat": wechat,
    "qq": qq, "bank_card": bank_card, "plate": plate, "address": address, "birth_date": birth_date,
    "handle": handle, "profile": profile, "school": school, "order": order, "date": date,
    "score": lambda rng: str(rng.randint(20, 150)),
    "money": lambda rng: str(rng.choice((800, 3500, 12000, 20000.5, 13800.5, 100000))),
    "isbn": lambda rng: f"978-7-{digits(rng, 3)}-{digits(rng, 5)}-{digits(rng, 1)}",
    "dose": lambda rng: rng.choice(("0.5mg", "50mg", "20 mg", "100毫克", "两片")),
    "year": lambda rng: str(rng.randint(1990, 2026)),
    "clock": lambda rng: f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}",
}  # fmt: skip


if __name__ == "__main__":
    main()
