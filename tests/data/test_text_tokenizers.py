"""Vocabulary and tokenizers: round trips, files, what is refused."""

import itertools
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import tinynet as tn
from tests.examples import examples
from tinynet.data.text import BPETokenizer, CharTokenizer, Tokenizer, Vocabulary, WordTokenizer, load_tokenizer
from tinynet.data.text.bpe_training import train_merges
from tinynet.errors import DataError, DtypeError, OptionError, RangeError

PROSE = (
    "The cat's hat, that's what the bat sat at! 12 rats, 3 mice... don't we'll I'VE\n\n  two  spaces\té ñ 中文 ½ 😀\n"
    * 3
)
BPE = BPETokenizer.train(PROSE, 300, specials=("<pad>", "<|endoftext|>"))


# vocabulary


def test_vocabulary_numbers_tokens_in_order():
    v = Vocabulary(["b", "a", "<unk>"], unknown="<unk>")
    assert [v.id("b"), v.id("a"), v.id("zebra")] == [0, 1, 2]
    assert v.ids("abc") == [1, 0, 2]
    assert [v.token(i) for i in range(3)] == list(v) == ["b", "a", "<unk>"]
    assert len(v) == 3
    assert "a" in v
    assert "zebra" not in v
    assert v == Vocabulary(v.tokens, unknown="<unk>")
    assert hash(v) == hash(Vocabulary(v.tokens, unknown="<unk>"))
    assert v != Vocabulary(v.tokens)
    assert repr(v) == "Vocabulary(3 tokens, unknown='<unk>')"


def test_vocabulary_of_counts():
    words = ["d", "c", "c", "b", "b", "a", "a", "a"]
    assert Vocabulary.from_tokens(words).tokens == ("a", "b", "c", "d")
    assert Vocabulary.from_tokens(words, minimum=2).tokens == ("a", "b", "c")
    v = Vocabulary.from_counts(Counter(words), maximum=3, specials=("<unk>", "b"))
    assert v.tokens == ("<unk>", "b", "a")
    assert v.unknown_id == 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Vocabulary(["a", "b", "a"]), OptionError, "'a' comes twice, as 0 and as 2"),
        (lambda: Vocabulary(["a", ""]), OptionError, "token 1 is empty"),
        (lambda: Vocabulary(["a", 3]), DtypeError, "token 1 must be a string, got 3"),
        (lambda: Vocabulary("ab"), DtypeError, "got one string"),
        (lambda: Vocabulary(["a"], unknown="u"), OptionError, "unknown is 'u'"),
        (lambda: Vocabulary(["a"]).id("b"), OptionError, "'b' is not among the 1 tokens"),
        (lambda: Vocabulary(["a"]).token(1), RangeError, "id 1 is out of range for 1 tokens"),
        (lambda: Vocabulary(["a"]).token(-1), RangeError, "id -1 is out of range"),
        (lambda: Vocabulary.from_tokens("ab", maximum=1, specials=("x", "y")), OptionError, "2 special tokens"),
    ],
)
def test_vocabulary_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()


# round trips


@examples(60)
@given(st.text(min_size=1))
def test_characters_round_trip(text):
    t = CharTokenizer.train(text, specials=("<pad>", "<eos>"))
    ids = t.encode(text)
    assert len(ids) == len(text)
    assert t.decode(ids) == text
    assert t.decode([*ids, t.eos_id, t.pad_id]) == text


@examples(200)
@given(st.text())
@example("<pad><|endoftext|>")
@example(" \u00a0 \x85\x1c\u2003 '\u2019s ’re ǅ ١٢ Ⅷ é नमस्ते 👩\u200d👩\u200d👧")
@example("a" * 3000)
def test_bytes_round_trip(text):
    ids = BPE.encode(text)
    assert BPE.decode(ids) == text
    assert not {BPE.pad_id, BPE.eos_id} & set(ids)
    assert "".join(BPE.pieces(iter(ids))) == text


@examples(60)
@given(st.text(alphabet="ab c'", max_size=40), st.integers(256, 280), st.integers(1, 3))
def test_trained_merges_round_trip(text, size, minimum):
    t = BPETokenizer.train([text, "ab"], size, minimum=minimum)
    assert len(t) <= size
    assert t.decode(t.encode(text)) == text


@examples(60)
@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=9), min_size=1, max_size=8), st.integers(1, 12))
def test_merges_are_those_of_recounting(words, more):
    """The definition: count all pairs anew before each merge."""
    counts = Counter(tuple("abc".index(c) for c in w) for w in words)
    tokens, merges = train_merges(counts, "abc", 3 + more, 1)
    names, held, expected = list("abc"), dict(counts), []
    while len(names) < 3 + more:
        pairs = Counter()
        for word, n in held.items():
            for a, b in itertools.pairwise(word):
                pairs[a, b] += n
        if not pairs:
            break
        pair = min(pairs, key=lambda p: (-pairs[p], p))
        expected.append(pair)
        name = names[pair[0]] + names[pair[1]]
        if name not in names:
            names.append(name)
        joined = Counter()
        for word, n in held.items():
            out = list(word)
            i = 0
            while i + 1 < len(out):
                if (out[i], out[i + 1]) == pair:
                    out[i : i + 2] = [names.index(name)]
                i += 1
            joined[tuple(out)] += n
        held = joined
    assert (tokens, merges) == (names, expected)


@examples(60)
@given(st.text(alphabet="thearsc ' ,", max_size=60))
def test_encoding_is_merging_in_order(text):
    """The definition: apply every merge, in training's order, everywhere."""
    pieces = [[c] for c in "".join(BPE.vocabulary.token(i) for i in BPE.encode(text))]
    for start, word in enumerate_words(text):
        parts = list(word.replace(" ", "Ġ"))
        for a, b in BPE.merges:
            i = 0
            while i + 1 < len(parts):
                if (parts[i], parts[i + 1]) == (a, b):
                    parts[i : i + 2] = [a + b]
                i += 1
        pieces[start] = parts
    expected = [p for start, _ in enumerate_words(text) for p in pieces[start]]
    assert [BPE.vocabulary.token(i) for i in BPE.encode(text)] == expected


def enumerate_words(text):
    """GPT-2's words of ASCII text without line ends, by hand: (start, word)."""
    found, at = [], 0
    while at < len(text):
        rest = text[at:]
        word = next((c for c in ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d") if rest.startswith(c)), None)
        if word is None:
            space = rest[0] == " " and len(rest) > 1 and rest[1] != " "
            body = rest[1:] if space else rest
            if body[0] == " ":
                n = len(body) - len(body.lstrip(" "))
                word = body[: n - 1] if n < len(body) and n > 1 else body[:n]
            else:
                n = next((i for i, c in enumerate(body) if c.isalpha() != body[0].isalpha() or c == " "), len(body))
                word = (" " if space else "") + body[:n]
        found.append((at, word))
        at += len(word)
    return found


# what tokens are


def test_words():
    text = "A man, a plan: don't T-shirt 3.14 1,000 end. (naïve) cafe\u0301 l’été _x_ 5-6!"
    t = WordTokenizer.train(text)
    expected = "A man , a plan : don't T-shirt 3.14 1,000 end . ( naïve ) cafe\u0301 l’été _x_ 5-6 !"
    assert t.words(text) == expected.split(" ")
    assert t.decode(t.encode(text)) == text
    assert t.decode(t.encode("A man,(a plan)\n- end.")) == "A man, (a plan) <unk> end."
    assert (t.pad_id, t.unknown_id, t.bos_id, t.eos_id) == (0, 1, 2, 3)


def test_words_in_lower_case_and_limits():
    t = WordTokenizer.train(["The the THE cat", "cat dog"], lower=True, minimum=2, maximum=5, specials=("<unk>",))
    assert t.vocabulary.tokens == ("<unk>", "the", "cat")
    assert t.decode(t.encode("THE Dog CAT")) == "the <unk> cat"
    assert WordTokenizer.train("<eos> eos").encode("<eos>") != [3]


def test_bytes_in_gpt2s_form():
    assert BPE.vocabulary.tokens[:4] == ("<pad>", "<|endoftext|>", "!", '"')
    assert BPE.merges[0] == ("a", "t")
    assert [BPE.vocabulary.token(i) for i in BPE.encode(" \n\x00\xad")] == ["Ġ", "Ċ", "Ā", "Â", "Ń"]
    assert BPE.decode(BPE.encode("ü")[:1]) == "\ufffd"
    euro = BPE.encode("€")
    assert list(BPE.pieces(euro)) == ["", "", "€", ""]
    assert BPE.decode([*euro[:1], BPE.eos_id, *BPE.encode("b")], specials=True) == "\ufffd<|endoftext|>b"


def test_roles_of_special_tokens():
    assert (BPE.bos_id, BPE.eos_id, BPE.pad_id, BPE.unknown_id) == (1, 1, 0, None)
    t = CharTokenizer.train("ab", specials=("<unk>", "<bos>"))
    assert (t.bos_id, t.eos_id, t.pad_id, t.unknown_id) == (1, None, None, 0)
    assert t.decode([1, 2, 0]) == "a<unk>"
    assert t.decode([1, 2, 0], specials=True) == "<bos>a<unk>"
    assert t.encode("axb") == [2, 0, 3]


@pytest.mark.parametrize(
    "ids", [np.array([2, 3]), tn.tensor([2, 3]), iter([2, 3]), (2, np.int32(3)), [tn.tensor(2), 3]]
)
def test_ids_of_every_kind(ids):
    assert CharTokenizer.train("ab", specials=("<unk>", "<bos>")).decode(ids) == "ab"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: CharTokenizer.train("abc").encode("ab\ncx"), ValueError, r"'\\n' \(U\+000A\) at position 2"),
        (
            lambda: CharTokenizer.train("ab").encode(["a"]),
            DtypeError,
            "CharTokenizer.encode: text must be a string, got list",
        ),
        (lambda: BPE.encode(b"a"), DtypeError, "got bytes"),
        (lambda: CharTokenizer.train(["", ""]), OptionError, "no characters"),
        (lambda: CharTokenizer.train(["a", 2]), DtypeError, "got int at place 1"),
        (lambda: CharTokenizer.train("a", specials=("b",)), OptionError, "'b' is special"),
        (lambda: CharTokenizer.train("a", specials="<pad>"), DtypeError, "specials must be a sequence of strings"),
        (lambda: CharTokenizer(Vocabulary(["ab"])), OptionError, "'ab' is not special"),
        (lambda: CharTokenizer(Vocabulary(["a"]), ["<pad>"]), OptionError, "'<pad>' is not in the vocabulary"),
        (lambda: CharTokenizer.train("ab").decode([0, 2]), RangeError, "id 2 at place 1 is out of range for 2"),
        (lambda: CharTokenizer.train("ab").decode([-1]), RangeError, "id -1 at place 0"),
        (lambda: CharTokenizer.train("ab").decode([0.5]), DtypeError, "got 0.5 at place 0"),
        (lambda: CharTokenizer.train("ab").decode(np.zeros((2, 2), int)), DtypeError, r"of shape \(2, 2\)"),
        (lambda: WordTokenizer.train("a b", specials=()).encode("a c"), ValueError, "'c' at place 1"),
        (lambda: WordTokenizer.train("a b", specials=("pad",)), OptionError, "could be a word"),
        (lambda: BPETokenizer.train("ab", 255), OptionError, "expected at least 256"),
        (lambda: BPETokenizer.train("a\ud800", 300), ValueError, r"position 1 is the lone surrogate U\+D800"),
        (lambda: BPE.encode("ab\udfff"), ValueError, "position 2 is the lone surrogate"),
        (lambda: BPETokenizer(Vocabulary(["a"]), []), OptionError, "lacks 255 of the 256 bytes"),
        (lambda: BPETokenizer(BPE.vocabulary, [("x", "yz")], ()), OptionError, "merge 0, 'x' with 'yz'"),
        (lambda: BPETokenizer(BPE.vocabulary, BPE.merges, ()), OptionError, "'<pad>' is no byte"),
        (
            lambda: BPETokenizer(BPE.vocabulary, BPE.merges, ("<pad>", "<|endoftext|>", "!")),
            OptionError,
            "'!' is special",
        ),
    ],
)
def test_tokenizers_refuse(call, error, message):
    with pytest.raises(error, match=message):
        call()


# files


TRAINED = [
    CharTokenizer.train(PROSE + "\ud800", specials=("<unk>",)),
    WordTokenizer.train(PROSE, lower=True),
    BPE,
]


@pytest.mark.parametrize("t", TRAINED, ids=lambda t: t.kind)
def test_files_hold_everything(t, tmp_path):
    t.save(tmp_path / "t.json")
    again = load_tokenizer(tmp_path / "t.json")
    assert type(again) is type(t)
    assert again == t
    assert hash(again) == hash(t)
    assert again.encode(PROSE) == t.encode(PROSE)
    assert type(t).from_dict(json.loads(json.dumps(t.to_dict()))) == t
    assert [p.name for p in tmp_path.iterdir()] == ["t.json"]


def test_tokenizers_differ():
    assert len({*TRAINED, *map(type, TRAINED)}) == 6
    assert TRAINED[0] != TRAINED[1]
    assert TRAINED[0] != 3
    assert repr(BPE) == "BPETokenizer(300 tokens, specials=('<pad>', '<|endoftext|>'))"


def change(**new):
    return {**BPE.to_dict(), **new}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "no tokenizer"),
        ({}, "no tokenizer"),
        (change(version=2), "version is 2; this tinynet reads 1"),
        (change(kind="sentence"), "kind is 'sentence', expected bpe or char or word"),
        (change(kind=None), "kind is None"),
        (change(kind=[]), r"kind is \[\]"),
        (change(merges=["a"]), "damaged"),
        (change(merges=[1]), "merges must be a sequence of strings"),
        (change(tokens=["a", "a"]), "comes twice"),
        ({k: v for k, v in BPE.to_dict().items() if k != "specials"}, "damaged: 'specials'"),
    ],
)
def test_damaged_files_are_refused(content, message, tmp_path):
    (tmp_path / "t.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=message) as caught:
        load_tokenizer(tmp_path / "t.json")
    assert "t.json" in str(caught.value)


def test_other_kinds_and_other_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="kind is 'bpe', expected char"):
        CharTokenizer.from_dict(BPE.to_dict())
    (tmp_path / "t.json").write_bytes(b"\xff{")
    with pytest.raises(DataError, match=r"t\.json is no JSON file"):
        load_tokenizer(tmp_path / "t.json")
    with pytest.raises(FileNotFoundError):
        load_tokenizer(tmp_path / "none.json")
    for call in (lambda t: t.encode("a"), lambda t: t.decode([])):
        with pytest.raises(NotImplementedError):
            call(Tokenizer(Vocabulary(["a"])))


def test_gpt2s_files(tmp_path):
    t = BPETokenizer.train(PROSE, 320, specials=("<|endoftext|>",))
    t.save_gpt2(tmp_path)
    again = BPETokenizer.from_gpt2(tmp_path / "vocab.json", tmp_path / "merges.txt")
    assert again == t
    lines = (tmp_path / "merges.txt").read_text("utf-8").split("\n")
    assert lines[:2] == ["#version: 0.2", "a t"]
    assert json.loads((tmp_path / "vocab.json").read_text())["<|endoftext|>"] == 0
    (tmp_path / "merges.txt").write_bytes("\r\n".join(lines[1:]).encode())  # neither is wrong
    assert BPETokenizer.from_gpt2(tmp_path / "vocab.json", tmp_path / "merges.txt") == t


def test_gpt2s_files_that_are_damaged(tmp_path):
    BPE.save_gpt2(tmp_path)
    vocabulary, merges = tmp_path / "vocab.json", tmp_path / "merges.txt"
    good = merges.read_bytes()
    for lines, message in [
        (good + b"a b c\n", rf"merges\.txt, line {good.count(10) + 1}: 'a b c' is no pair"),
        (good.replace(b"a t\n", b"a \xff\n"), r"merges\.txt is not UTF-8: byte 16"),
        (good.replace(b"a t\n", b""), "vocab.json: BPETokenizer: merge"),
        (good + "q \u00d7\n".encode(), "'q ×' is no pair"),
    ]:
        merges.write_bytes(lines)
        with pytest.raises(DataError, match=message):
            BPETokenizer.from_gpt2(vocabulary, merges)
    merges.write_bytes(good)
    for text, message in [("[]", "no JSON object"), ('{"a": 1}', "are not 0 to 0"), ("{", "no JSON file")]:
        vocabulary.write_text(text)
        with pytest.raises(DataError, match=message):
            BPETokenizer.from_gpt2(vocabulary, merges)
