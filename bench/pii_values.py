"""Made-up personal data of every type that pii.py plants.

A random generator comes in, a value goes out, in the ways in which people
write it (spaces, full width, Chinese digits). None belongs to anybody but by
chance.
"""

import random
from collections.abc import Callable, Sequence
from itertools import pairwise

PLATES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
FULL_WIDTH = {ord(digit): chr(ord(digit) + 0xFEE0) for digit in "0123456789"}
CHINESE = dict(zip(map(ord, "0123456789"), "零一二三四五六七八九", strict=True))
# Digits that a filter for 0 to 9 does not read.
STYLES = tuple(
    dict(zip(map(ord, "0123456789"), style, strict=True))
    for style in ("⓪①②③④⑤⑥⑦⑧⑨", "⓿❶❷❸❹❺❻❼❽❾", "0⑴⑵⑶⑷⑸⑹⑺⑻⑼", "٠١٢٣٤٥٦٧٨٩", "零壹贰叁肆伍陆柒捌玖")
)
APART = (",", "，", "、", "/", "•", "·", "。", "—", " / ", ", ", "-", " ")
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
)

# For the half that was held out: other given names, so that no list was fitted to them.
GIVEN_HELD_OUT = (
    "建军 丽萍 志刚 春梅 海涛 晓明 文娟 国强 玉兰 少华 雅琴 振华 巧云 宏伟 美玲 世杰 佩珊 俊杰 怡君 承恩 子墨 语嫣 一鸣 沐阳 亦菲 雨泽 思琪 嘉豪 芷晴 皓轩 "
    "岩 蓓 茜 晖 恺 麟 骥 璐 菁 蕾 旭 峥 昀 珂 冉 澈 楠 阔 铮 淼 桂花 根宝 来娣 招弟 长贵 树林 满堂 得水 跃进 援朝 向阳 胜男 若男 亚楠 晓萌 小雨 "
    "天宇 星辰 书瑶 清婉 墨言 景行 知远 慕白 南乔 意欢 安然 平川 有为 守正 大川 立冬 谷雨 初雪 半夏 采薇"
)


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


def odd(rng: random.Random, number: str, *cuts: int) -> str:
    """Return a number cut into groups, in digits of another style, or in Chinese and other digits by turns."""
    form = rng.randrange(3)
    if form == 0:
        return rng.choice(APART).join(number[first:last] for first, last in pairwise((0, *cuts, len(number))))
    styles = STYLES if form == 1 else (CHINESE, {})
    style = rng.choice(styles)
    return "".join(digit.translate(rng.choice(styles) if form == 2 else style) for digit in number)


def odd_phone(rng: random.Random) -> str:
    return odd(rng, "1" + rng.choice("3456789") + digits(rng, 9), 3, 7)


def odd_id_number(rng: random.Random) -> str:
    number = id_number(rng).replace(" ", "")
    narrow = {ord(wide): chr(digit) for digit, wide in FULL_WIDTH.items()}
    return odd(rng, number.translate(narrow), 6, 14)


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
    "phone": phone, "id_number": id_number, "odd_phone": odd_phone, "odd_id_number": odd_id_number, "p": passport, "n": record_number, "email": email, "wechat": wechat,
    "qq": qq, "bank_card": bank_card, "plate": plate, "address": address, "birth_date": birth_date,
    "handle": handle, "profile": profile, "school": school, "order": order, "date": date,
    "score": lambda rng: str(rng.randint(20, 150)),
    "money": lambda rng: str(rng.choice((800, 3500, 12000, 20000.5, 13800.5, 100000))),
    "isbn": lambda rng: f"978-7-{digits(rng, 3)}-{digits(rng, 5)}-{digits(rng, 1)}",
    "dose": lambda rng: rng.choice(("0.5mg", "50mg", "20 mg", "100毫克", "两片")),
    "year": lambda rng: str(rng.randint(1990, 2026)),
    "sums": lambda rng: rng.choice("，、,/").join(
        str(rng.randint(first, last)) for first, last in ((130, 199), (1000, 9999), (1000, 9999))
    ),
    "clock": lambda rng: f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}",
}  # fmt: skip
