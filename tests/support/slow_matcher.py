"""An obviously right matcher for comparison: every rule is held against every word, one character at a time.

Written from Twitter's tables and docs/decisions/0001-track-matching.md, with nothing of the program's own
matcher. It reads tweets as plain dictionaries.
"""

# ruff: noqa: RUF001 - curly quotes and full-width marks are meant

import unicodedata

JOINERS = "\u200c\u200d"
TAG_SPECIALS = "_" + JOINERS + "\ua67e־׳״～〜゛゜゠・〃་༌·"
IN_NUMBER = ".,'’٫٬"
IN_ADDRESS = "!#$%&()*+,-./:;=?@_~"


def same_form(text):
    for written, compared in (("＃", "#"), ("＠", "@"), ("ς", "σ"), ("\ufe0e", ""), ("\ufe0f", "")):
        text = text.replace(written, compared)
    return text


def is_letter(char):
    return char.isalnum() or unicodedata.category(char).startswith("M")


def is_name_char(char):
    return is_letter(char) or char == "_"


def is_ideograph(char):
    names = ("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA", "KATAKANA")
    return is_letter(char) and unicodedata.name(char, "").startswith(names)


def is_plain(char):
    return char != "" and is_letter(char) and not is_ideograph(char)


def is_emoji(char):
    return unicodedata.category(char) == "So"


def is_modifier(char):
    return 0x1F3FB <= ord(char) <= 0x1F3FF


def is_flag_half(char):
    return 0x1F1E6 <= ord(char) <= 0x1F1FF


def is_hashtag_char(char):
    return unicodedata.category(char)[0] in "LM" or unicodedata.category(char) == "Nd" or char in TAG_SPECIALS


def is_screen_name_char(char):
    return char == "_" or (char.isascii() and char.isalnum())


def is_latin_accent(char):
    is_latin = unicodedata.name(char, "").startswith("LATIN")
    return (is_letter(char) and is_latin and not char.isascii()) or 0x300 <= ord(char) <= 0x36F


def end_of_hashtag(word, mark):
    end = mark + 1
    while end < len(word) and is_hashtag_char(word[end]):
        end += 1
    while word[end - 1] in JOINERS:
        end -= 1
    has_letter = any(unicodedata.category(char)[0] in "LM" for char in word[mark + 1 : end])
    return end if has_letter and word[mark + 1] != "\u20e3" else mark


def end_of_mention(word, mark):
    end = mark + 1
    while end < len(word) and is_screen_name_char(word[end]):
        end += 1
    return mark if end < len(word) and is_latin_accent(word[end]) else end


def end_of_cashtag(word, mark):
    end = mark + 1
    while end < len(word) and "a" <= word[end] <= "z":
        end += 1
    return mark if end < len(word) and is_name_char(word[end]) else end


def tag_spans(word):
    """Where the tags of a word begin, with their mark, and where they end."""
    spans, position = [], 0
    while position < len(word):
        mark, before, end = word[position], word[position - 1] if position else " ", position
        if mark == "#" and not (is_name_char(before) or before in TAG_SPECIALS + "&/"):
            end = end_of_hashtag(word, position)
        elif mark == "@" and not (is_screen_name_char(before) or before in "&/"):
            end = end_of_mention(word, position)
        elif mark == "$" and not (is_name_char(before) or before in "&/"):
            end = end_of_cashtag(word, position)
        if end > position + 1:
            spans.append((position, end))
            position = end
        else:
            position += 1
    return spans


def take_tags(word):
    """The tags of a word, and the word with blanks in their places."""
    tags, rest, done = [], "", 0
    for start, end in tag_spans(word):
        tags.append(word[start:end])
        rest += word[done:start] + " "
        done = end
    return tags, rest + word[done:]


def take_pieces(text):
    pieces, position = [], 0
    while position < len(text):
        char, end = text[position], position + 1
        if is_letter(char):
            while end < len(text):
                joins = text[end] in JOINERS and is_plain(text[end - 1]) and is_plain(text[end + 1 : end + 2])
                if joins or (is_letter(text[end]) and is_ideograph(text[end]) == is_ideograph(char)):
                    end += 1
                else:
                    break
        elif is_flag_half(char) and end < len(text) and is_flag_half(text[end]):
            end += 1
        elif is_emoji(char):
            while end < len(text):
                if is_modifier(text[end]):
                    end += 1
                elif text[end] == "\u200d" and end + 1 < len(text) and is_emoji(text[end + 1]):
                    end += 2
                else:
                    break
        else:
            position = end
            continue
        pieces.append(text[position:end])
        position = end
    return pieces


def is_one(left, right):
    """Whether two neighbours are never parted."""
    if is_ideograph(left) and is_ideograph(right):
        return True
    if (is_emoji(left) or is_modifier(left)) and (right == "\u200d" or is_modifier(right)):
        return True
    return is_flag_half(left) and is_flag_half(right)


def goes_on_behind(word, end):
    last, following, then = word[end - 1], word[end : end + 1], word[end + 1 : end + 2]
    if not following or is_one(last, following):
        return bool(following)
    if is_plain(following):
        return not (is_ideograph(last) or is_emoji(last) or is_modifier(last))
    if following in JOINERS:
        return is_plain(last) and is_plain(then)
    return following in IN_NUMBER and last.isdecimal() and then.isdecimal()


def goes_on_before(word, start):
    if start == 0:
        return False
    before, previous, first = word[start - 2 : start - 1] if start > 1 else "", word[start - 1], word[start]
    if is_one(previous, first):
        return True
    if is_plain(previous):
        return not (is_ideograph(first) or is_emoji(first))
    if previous in JOINERS:
        return (is_plain(before) and is_plain(first)) or (previous == "\u200d" and is_emoji(first))
    return previous in IN_NUMBER and before.isdecimal() and first.isdecimal()


def is_in_address(char):
    return char in IN_ADDRESS or unicodedata.category(char) in ("Pd", "Pc")


def is_whole_address(word, start, end):
    starts = ("https://www.", "http://www.", "https://", "http://", "www.")
    link = next((one for one in starts if word[:start].endswith(one)), "")
    start -= len(link)
    if goes_on_before(word, start):
        return False
    left, right = start, end
    while left and is_in_address(word[left - 1]):
        left -= 1
    if 0 < left < start and is_plain(word[left - 1]):
        return False
    while right < len(word) and is_in_address(word[right]):
        right += 1
    if end < right < len(word) and is_plain(word[right]):
        return bool(link) and ("?" in word[end:right] or "#" in word[end:right])
    return True


def stands_at(word, start, end):
    for tag_start, tag_end in tag_spans(word):
        if tag_start < start < tag_end:
            return (tag_start + 1, tag_end) == (start, end)
        if tag_start < end < tag_end:
            return False
    if goes_on_behind(word, end):
        return False
    if "." in word[start:end] or "/" in word[start:end]:
        return is_whole_address(word, start, end)
    return not goes_on_before(word, start)


def stands_in(word, term):
    if term.startswith(("www.", "http://www.", "https://www.")):
        return False
    starts = range(len(word) - len(term) + 1)
    return any(word.startswith(term, n) and stands_at(word, n, n + len(term)) for n in starts)


def without_odd(text, named):
    """The text without those named tags that would not be one in it."""
    for tag in sorted(named, key=len, reverse=True):
        position = text.find(tag) if take_tags(tag)[0] != [tag] else -1
        while position >= 0:
            end = position + len(tag)
            before, behind = text[position - 1 : position] or " ", text[end : end + 1] or " "
            if not (is_name_char(before) or is_name_char(behind)):
                text = text[:position] + " " + text[end:]
            position = text.find(tag, position + 1)
    return text


class Text:
    def __init__(self, text, named):
        self.words = without_odd(text, named).split()
        self.tags, self.pieces = set(named), {tag[1:] for tag in named}
        self.named = self.tags | self.pieces
        for word in self.words:
            tags, rest = take_tags(word)
            self.tags = self.tags | set(tags)
            self.pieces = self.pieces | set(take_pieces(rest)) | {tag[1:] for tag in tags}

    def holds(self, term):
        if take_tags(term) == ([term], " "):
            return term in self.tags
        if take_pieces(term) == [term]:
            return term in self.pieces
        return term in self.named or any(stands_in(word, term) for word in self.words)


def without_cut_word(text):
    before, ellipsis, after = text.rpartition("…")
    after_words = after.split()
    is_end = not after_words or (len(after_words) == 1 and after_words[0].startswith(("http://", "https://")))
    if not ellipsis or not is_end:
        return text
    kept = before
    while kept and not kept[-1].isspace():
        kept = kept[:-1]
    return kept + " " + after


def searched_parts(status, *, is_cut):
    extended = status.get("extended_tweet")
    if extended:
        text, entities = extended["full_text"], extended["entities"]
        media = (extended.get("extended_entities") or {}).get("media") or []
    else:
        text, entities = status["text"] if "text" in status else status["full_text"], status["entities"]
        text = without_cut_word(text) if is_cut else text
        media = (status.get("extended_entities") or {}).get("media") or []
    parts = [text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")]
    named = ["#" + tag["text"] for tag in entities.get("hashtags", []) if tag["text"]]
    named += ["$" + tag["text"] for tag in entities.get("symbols", []) if tag["text"]]
    named += ["@" + one["screen_name"] for one in entities.get("user_mentions", []) if one["screen_name"]]
    own = "/i/web/status/" + status["id_str"]
    for link in entities.get("urls", []):
        if not (status.get("truncated") and not extended and link["expanded_url"].endswith(own)):
            parts += [link["expanded_url"], link["display_url"]]
    for link in entities.get("media", []) + media:
        parts += [link["expanded_url"], link["display_url"]]
    return [part for part in parts if not (part.endswith("…") and part != parts[0])], named


def statuses_of(tweet):
    retweeted, quoted = tweet.get("retweeted_status"), tweet.get("quoted_status")
    quoted = quoted or (retweeted or {}).get("quoted_status")
    yield tweet, bool(retweeted or tweet.get("truncated"))
    for other in (retweeted, quoted):
        if other:
            yield other, bool(other.get("truncated"))


def match_track(tweet, phrases):
    searched = [searched_parts(status, is_cut=cut) for status, cut in statuses_of(tweet)]
    folded = same_form(" ".join(part for parts, _ in searched for part in parts).lower())
    text = Text(folded, {same_form(tag.lower()) for _, named in searched for tag in named})
    return [
        number
        for number, values in enumerate(phrases)
        if any(all(text.holds(term) for term in same_form(value).split()) for value in values)
    ]


def match_follow(tweet, user_ids):
    authors = {tweet["user"]["id_str"], tweet.get("in_reply_to_user_id_str")}
    if tweet.get("retweeted_status"):
        authors.add(tweet["retweeted_status"]["user"]["id_str"])
    return [number for number, values in enumerate(user_ids) if any(value in authors for value in values)]


def match_locations(tweet, boxes):
    if tweet.get("retweeted_status"):
        return []
    if tweet.get("coordinates"):
        corners = [tweet["coordinates"]["coordinates"]]
    elif tweet.get("place"):
        corners = tweet["place"]["bounding_box"]["coordinates"][0]
    else:
        return []
    west, east = min(x for x, _ in corners), max(x for x, _ in corners)
    south, north = min(y for _, y in corners), max(y for _, y in corners)

    def overlaps(value):
        w, s, e, n = map(float, value.split(","))
        return not (e < west or east < w or n < south or north < s)

    return [number for number, values in enumerate(boxes) if any(overlaps(value) for value in values)]
