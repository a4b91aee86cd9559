"""The commands on text: what they print, their exit codes, their errors."""

import pytest

import tinynet as tn
from tinynet.cli import main
from tinynet.cli.text import _until

TEXT = "the cat sat on the mat and the dog sat on the log while the cow jumped over the moon\n" * 12


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    tn.set_strict(False)
    out, err = capsys.readouterr()
    return stop.value.code, out, err


@pytest.fixture
def gru(capsys, tmp_path, monkeypatch):
    """The folder of a small trained model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text(TEXT)
    size = ["--hidden", "16", "--context", "8", "--batch-size", "4", "--steps", "60", "--lr", "0.05"]
    code, out, err = run(capsys, "train", "char-gru", "--file", "text", *size, "--out", "r")
    assert code == 0, err
    assert out.startswith("validation loss ")
    assert "bits per character" in out
    return "r"


def test_a_language_model(capsys, gru):
    code, evaluated, _ = run(capsys, "eval", gru)
    assert code == 0
    assert evaluated.startswith("char-gru on text, step 60: validation part\nloss ")
    one, two = (run(capsys, "generate", gru, "--prompt", "the ", "--max-tokens", "20", "--seed", "3") for _ in range(2))
    assert one == two
    assert one[1].startswith("the ")
    assert len(one[1]) == 4 + 20 + 1
    greedy = run(capsys, "generate", gru, "--prompt", "the ", "--max-tokens", "12", "--greedy")[1]
    beams = run(capsys, "generate", gru, "--prompt", "the ", "--max-tokens", "12", "--beams", "2")[1]
    assert greedy.startswith("the ")
    assert beams.startswith("the ")
    stopped = run(capsys, "generate", gru, "--prompt", "the ", "--greedy", "--stop", greedy[6:8])[1]
    assert stopped == greedy[:6] + "\n"
    for arguments, message in (
        (["--prompt", "ä"], "character 'ä'"),
        (["--prompt", ""], "--prompt is empty"),
        (["--beams", "2", "--greedy"], "--greedy does not go with --beams"),
        (["--temperature", "0"], "temperature"),
        (["--greedy", "--top-k", "3"], "greedy"),
    ):
        code, _, err = run(capsys, "generate", gru, *arguments)
        assert code == 2
        assert message in err.splitlines()[-1]


def test_resume_refuses_other_settings(capsys, gru):
    code, _, err = run(capsys, "train", "char-gru", "--resume", gru, "--hidden", "8")
    assert code == 2
    assert "--resume: the run has hidden 16, not 8" in err
    code, _, err = run(capsys, "train", "char-gru", "--resume", gru)
    assert code == 0
    assert "all 60 steps are done" in err


def test_classes_and_translations(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source, target = ["ein hund", "eine katze"] * 20, ["a dog", "a cat"] * 20
    (tmp_path / "s").write_text("\n".join(source))
    (tmp_path / "t").write_text("\n".join(target))
    (tmp_path / "l").write_text("\n".join([f"de\t{s}" for s in source] + [f"en\t{s}" for s in target]))
    size = ["--hidden", "8", "--batch-size", "8", "--lr", "0.03"]
    assert run(capsys, "train", "classify", "--file", "l", "--epochs", "6", *size, "--out", "c")[0] == 0
    code, out, _ = run(capsys, "generate", "c", "--prompt", "ein hund")
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()] == ["de", "en"]
    more = ["--heads", "2", "--layers", "1", "--feedforward", "8", "--dropout", "0", "--epochs", "2"]
    assert run(capsys, "train", "translate", "--source", "s", "--target", "t", *size, *more, "--out", "t2")[0] == 0
    code, out, _ = run(capsys, "eval", "t2", "--beams", "2")
    assert code == 0
    assert "bleu" in out
    assert run(capsys, "generate", "t2", "--prompt", "ein hund", "--beams", "2")[0] == 0
    for arguments, message in (
        (["t2"], "--prompt is missing: what to translate"),
        (["c", "--prompt", "x", "--seed", "1"], "--seed does not go with classify"),
    ):
        code, _, err = run(capsys, "generate", *arguments)
        assert code == 2
        assert message in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "gpt", "--file", "nowhere"], "nowhere"),
        (["train", "gpt", "--order", "3"], "order: gpt has no such setting"),
        (["train", "gpt", "--data", "digits"], "data must be one of"),
        (["train", "lenet", "--steps", "3"], "lenet has no --steps"),
        (["train", "lenet", "--data", "topics"], "data must be one of"),
        (["train", "translate"], "source is missing"),
        (["generate", "nowhere"], "nowhere is not a folder"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_errors_are_one_line_and_exit_code_2(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.splitlines()[-1].startswith("tinynet: error: ")
    assert message in err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_a_run_on_images_writes_no_text(capsys, tmp_path):
    assert run(capsys, "train", "mlp", "--epochs", "1", "--out", str(tmp_path / "r"))[0] == 0
    code, _, err = run(capsys, "generate", str(tmp_path / "r"))
    assert code == 2
    assert "holds a mlp, which writes no text" in err


@pytest.mark.parametrize(
    ("pieces", "stop", "expected"),
    [
        (["ab", "c", "d"], None, "abcd"),
        (["ab", "c", "d"], "bc", "a"),
        (["a", "a", "a", "b"], "aab", "a"),
        (["ab", "ab"], "abc", "abab"),
        ([], "x", ""),
    ],
)
def test_the_text_ends_before_the_stop(pieces, stop, expected):
    assert "".join(_until(iter(pieces), stop)) == expected
