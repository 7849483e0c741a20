"""An obviously right matcher for comparison: every rule is held against every word, one character at a time.

Written from Twitter's tables and docs/decisions/0001-track-matching.md, with nothing of the program's own
matcher. It reads tweets as plain dictionaries.
"""

# ruff: noqa: RUF001 - curly quotes and full-width marks are meant

import unicodedata

QUOTES = set("\"'“”„‟‘’‚‛«»‹›()[]{}<>（）［］「」『』【】《》〈〉¿¡")
SENTENCE = set(".,;:!?…‥。、，．！？：；-–—*~/")


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
    return unicodedata.name(char, "").startswith(names)


def is_emoji(char):
    return unicodedata.category(char) == "So"


def is_modifier(char):
    return 0x1F3FB <= ord(char) <= 0x1F3FF


def is_flag_half(char):
    return 0x1F1E6 <= ord(char) <= 0x1F1FF


def take_tags(word):
    """The tags of a word, and the word with blanks in their places."""
    tags, rest, position = [], "", 0
    while position < len(word):
        before = word[position - 1] if position else " "
        end = position + 1
        if word[position] in "#@$" and not (is_name_char(before) or before in "&/"):
            if word[position] == "$":
                while end < len(word) and "a" <= word[end] <= "z":
                    end += 1
                if end < len(word) and is_name_char(word[end]):
                    end = position + 1
            else:
                while end < len(word) and is_name_char(word[end]):
                    end += 1
        if end > position + 1:
            tags.append(word[position:end])
            rest += " "
        else:
            rest += word[position]
        position = end
    return tags, rest


def take_pieces(text):
    pieces, position = [], 0
    while position < len(text):
        char, end = text[position], position + 1
        if is_letter(char):
            while end < len(text) and is_letter(text[end]) and is_ideograph(text[end]) == is_ideograph(char):
                end += 1
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


def strip(word, left, right):
    while word and word[0] in left:
        word = word[1:]
    while word and word[-1] in right:
        word = word[:-1]
    return word


def readings(word):
    found = set()
    for left in (set(), QUOTES, QUOTES | SENTENCE):
        start = strip(word, left, set())
        link, had_www = start, False
        for scheme in ("http://", "https://"):
            if start.startswith(scheme):
                link = start[len(scheme) :]
        if link.startswith("www."):
            link, had_www = link[4:], True
        found |= {link, strip(link, set(), QUOTES | SENTENCE)}
        if link != start:
            path = link.split("?")[0].split("#")[0]
            found.add(strip(path, set(), QUOTES | SENTENCE))
        if not had_www:
            found |= {start, strip(start, set(), QUOTES | SENTENCE)}
    return found


class Text:
    def __init__(self, text):
        self.pieces, self.tags, self.whole = set(), set(), set()
        for word in text.split():
            tags, rest = take_tags(word)
            names = {tag[1:] for tag in tags}
            self.tags |= set(tags)
            self.pieces |= set(take_pieces(rest)) | names
            self.whole |= readings(word) | names

    def holds(self, term):
        if take_tags(term) == ([term], " "):
            return term in self.tags
        if take_pieces(term) == [term]:
            return term in self.pieces
        return term in self.whole


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
    parts += ["#" + tag["text"] for tag in entities.get("hashtags", [])]
    parts += ["$" + tag["text"] for tag in entities.get("symbols", [])]
    parts += ["@" + mention["screen_name"] for mention in entities.get("user_mentions", [])]
    own = "/i/web/status/" + status["id_str"]
    for link in entities.get("urls", []):
        if not (status.get("truncated") and not extended and link["expanded_url"].endswith(own)):
            parts += [link["expanded_url"], link["display_url"]]
    for link in entities.get("media", []) + media:
        parts += [link["expanded_url"], link["display_url"]]
    return [part for part in parts if not (part.endswith("…") and part != parts[0])]


def statuses_of(tweet):
    retweeted, quoted = tweet.get("retweeted_status"), tweet.get("quoted_status")
    quoted = quoted or (retweeted or {}).get("quoted_status")
    yield tweet, bool(retweeted or tweet.get("truncated"))
    for other in (retweeted, quoted):
        if other:
            yield other, bool(other.get("truncated"))


def match_track(tweet, phrases):
    parts = [part for status, cut in statuses_of(tweet) for part in searched_parts(status, is_cut=cut)]
    text = Text(same_form(" ".join(parts).lower()))
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
