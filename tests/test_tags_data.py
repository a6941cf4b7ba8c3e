"""Tagged pictures: word vectors, which words are tags, CoDraw's scenes, MIRFlickr's form, and their batches."""

import gzip
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from telldraw import cli
from telldraw.data import codraw, codraw_tags, mirflickr, tagged, word_vectors
from telldraw.data.archive import Writer
from telldraw.data.collection import Collection
from telldraw.data.prepared import open_prepared
from telldraw.data.stopwords import ARRANGEMENT, GRAMMAR, TALK, is_tag
from telldraw.data.tag_loader import TagLoader
from telldraw.errors import DataError
from telldraw.text import normalise

# --- words ----------------------------------------------------------------------------------------------------------


def test_tags_say_what_is_there_and_not_where_or_that_one_talks() -> None:
    said = normalise("OK , a happy girl on the left , facing right , with 2 dogs and a hot air balloon 3 inches above")
    assert [word for word in said if is_tag(word)] == ["happy", "girl", "dogs", "hot", "air", "balloon"]


def test_every_word_that_is_no_tag_is_a_normalised_word() -> None:
    for word in GRAMMAR | ARRANGEMENT | TALK:
        assert normalise(word) == [word], word


def chain(random: np.random.Generator, count: int = 400) -> list[list[str]]:
    """Sentences in which night goes with moon and star, and day with sun and sky."""
    groups = [["night", "moon", "star", "dark"], ["day", "sun", "sky", "bright"]]
    return [list(random.permutation(groups[n % 2])) for n in range(count)]


def test_skip_gram_puts_words_of_the_same_sentences_together() -> None:
    pytest.importorskip("gensim")
    words = ["sun", "sky", "moon", "star"]
    learnt = word_vectors.skip_gram(chain(np.random.default_rng(0)), words, 16)
    assert learnt.words == tuple(words) and learnt.vectors.shape == (4, 16) and learnt.vectors.dtype == np.float32
    unit = learnt.vectors / np.linalg.norm(learnt.vectors, axis=1, keepdims=True)
    cosine = unit @ unit.T
    assert min(cosine[0, 1], cosine[2, 3]) > max(cosine[0, 2], cosine[0, 3], cosine[1, 2], cosine[1, 3])


def test_skip_gram_is_the_same_in_every_process_whatever_its_hashes() -> None:
    pytest.importorskip("gensim")
    code = (
        "import zlib, numpy as np\n"
        "from telldraw.data import word_vectors as w\n"
        "from test_tags_data import chain\n"
        "print(zlib.crc32(w.skip_gram(chain(np.random.default_rng(0), 60), ['sun', 'moon'], 8).vectors.tobytes()))"
    )
    found = set()
    for seed in ("1", "2"):
        path = os.pathsep.join([str(Path(word_vectors.__file__).parents[2]), str(Path(__file__).parent)])
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120
        )
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert len(found) == 1


def test_a_word_that_no_sentence_has_gets_no_vector() -> None:
    pytest.importorskip("gensim")
    with pytest.raises(DataError, match="'comet'"):
        word_vectors.skip_gram([["sun", "sky"]], ["sun", "comet"], 4)


TABLE = {"sun": [1.0, 2.0, 3.0], "new york": [0.5, -1.0, 4.0], "moon": [-0.25, 0.0, 8.0]}


def as_text(path: Path, header: bool) -> Path:
    lines = [f"{len(TABLE)} 3"] * header + [f"{word} {' '.join(map(str, row))}" for word, row in TABLE.items()]
    path.write_text("\n".join(lines) + "\n")
    return path


def as_binary(path: Path) -> Path:
    rows = [word.replace(" ", "_").encode() + b" " + struct.pack("<3f", *row) + b"\n" for word, row in TABLE.items()]
    path.write_bytes(b"3 3\n" + b"".join(rows))
    return path


def test_given_vectors_are_read_from_text_with_and_without_counts_and_from_the_binary_form(tmp_path: Path) -> None:
    glove, text, binary = as_text(tmp_path / "g.txt", False), as_text(tmp_path / "w.vec", True), tmp_path / "w.bin"
    as_binary(binary)
    zipped = tmp_path / "w.bin.gz"
    zipped.write_bytes(gzip.compress(binary.read_bytes()))
    for path in (glove, text, binary, zipped):
        learnt = word_vectors.read(path, ["moon", "comet", "sun"])
        assert learnt.words == ("moon", "sun"), path
        np.testing.assert_array_equal(learnt.vectors, np.array([TABLE["moon"], TABLE["sun"]], np.float32))
    assert word_vectors.read(glove, ["new york"]).words == ("new york",)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("v.txt", b"sun 1 2 x\n", "line 1"),
        ("v.txt", b"moon 1 2 3\nsun 1 nan 3\n", "line 2"),
        ("v.txt", b"moon 1 2 3\n", "none of the 1 words"),
        ("v.bin", b"sun 1 2 3\n", "two counts"),
        ("v.bin", b"2 3\nsun " + b"\0" * 12, "word 2 of 2"),
        ("v.bin", b"1 3\nsun " + b"\0" * 5, "cut short"),
        ("v.txt.gz", b"no gzip", "cannot be read"),
    ],
)
def test_damaged_vectors_are_refused_with_the_place(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        word_vectors.read(path, ["sun"])


def test_a_pickle_is_not_read_as_vectors(tmp_path: Path) -> None:
    import pickle

    path = tmp_path / "v.bin"
    path.write_bytes(pickle.dumps({"sun": [1.0]}))
    with pytest.raises(DataError):
        word_vectors.read(path, ["sun"])


# --- CoDraw ---------------------------------------------------------------------------------------------------------


def look(side: int = 16) -> tagged.Look:
    """Looks at the mean colour of the upper and the lower half."""

    def features(images: np.ndarray) -> np.ndarray:
        halves = images.reshape(len(images), 3, 2, side // 2, side)
        return halves.mean((3, 4)).reshape(len(images), 6) / 255

    return tagged.Look(features, side, None, {"network": "mean colours"})


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up vectors of the words that the made-up Tellers use."""
    path = tmp_path_factory.mktemp("vectors") / "v.txt"
    random = np.random.default_rng(0)
    words = "sun cloud tree table boy girl dog ball".split()
    path.write_text("".join(f"{word} {' '.join(f'{n:.4f}' for n in random.normal(size=12))}\n" for word in words))
    return path


@pytest.fixture(scope="module")
def prepared_tags(codraw_like: Path, vectors: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tags") / "tags.telldraw"
    codraw_tags.prepare(codraw_like, out, look(), vectors=vectors, minimum=2)
    return out


def test_the_tags_of_a_scene_are_its_tellers_words(prepared_tags: Path, codraw_like: Path) -> None:
    collection = open_prepared(prepared_tags)
    assert isinstance(collection, Collection)
    assert set(collection.classes) <= set("sun cloud tree table boy girl dog ball".split())
    with gzip.open(codraw_like / "CoDraw_1_0.json.gz") as file:
        data = json.load(file)["data"]
    for row, name in enumerate(collection.manifest["ids"]):
        said = {word for entry in data[name]["dialog"] for word in normalise(entry["msg_t"])}
        assert set(collection.shown(row)) == said & set(collection.classes)
        assert row in collection.split(name.partition("_")[0])


def test_the_vocabulary_is_of_the_training_dialogues_most_frequent_first(prepared_tags: Path) -> None:
    collection = Collection.open(prepared_tags)
    counts = collection.labels[collection.splits["train"]].sum(0)
    assert list(counts) == sorted(counts, reverse=True) and counts.min() >= 2


def test_features_are_those_of_the_scene_that_was_described(prepared_tags: Path, codraw_like: Path) -> None:
    collection = Collection.open(prepared_tags)
    assert collection.features is not None
    expected = look().features(collection.images[:])
    np.testing.assert_allclose(collection.features, expected, atol=1e-6)
    told = codraw_tags.read(codraw_like / "CoDraw_1_0.json.gz")
    assert [one.id for one in told] == collection.manifest["ids"]


def test_vectors_are_those_of_the_words_less_their_mean(prepared_tags: Path, vectors: Path) -> None:
    facts = Collection.open(prepared_tags).tag_facts
    given = word_vectors.read(vectors, facts.pictures.classes).vectors
    np.testing.assert_allclose(facts.vectors, given - given.mean(0), atol=1e-6)
    assert facts.pictures.many and facts.mean.shape == facts.deviation.shape == (6,)


def test_a_dialogue_with_a_fault_is_left_out_and_named(tmp_path: Path, codraw_like: Path, vectors: Path) -> None:
    with gzip.open(codraw_like / "CoDraw_1_0.json.gz") as file:
        data = json.load(file)["data"]
    broken = dict(data)
    first, second = list(data)[:2]
    broken[first] = {**data[first], "abs_t": "1,nonsense"}
    broken[second] = {**data[second], "dialog": [{"msg_t": "hello", "msg_d": ""}]}
    with gzip.open(tmp_path / "CoDraw_1_0.json.gz", "wt") as file:
        json.dump({"data": broken}, file)
    (tmp_path / "Pngs").symlink_to(codraw_like / "Pngs")
    said: list[str] = []
    report = codraw_tags.prepare(
        tmp_path, tmp_path / "t.telldraw", look(), vectors=vectors, minimum=2, tell=said.append
    )
    assert report.left_out == 2 and sum(report.pictures.values()) == len(data) - 2
    left = dict(Collection.open(tmp_path / "t.telldraw").manifest["left out"])
    assert "2 objects" in left[first] or "objects" in left[first]
    assert left[second] == "none of its words is a tag"


def test_too_high_a_count_leaves_no_tag(tmp_path: Path, codraw_like: Path, vectors: Path) -> None:
    with pytest.raises(DataError, match="--minimum-count"):
        codraw_tags.prepare(codraw_like, tmp_path / "t.telldraw", look(), vectors=vectors, minimum=10_000)
    assert not list(tmp_path.glob("t.telldraw*"))


def test_the_real_codraw_has_the_scenes_and_tags_that_are_documented(codraw_folder: Path) -> None:
    told = codraw_tags.read(codraw.find(codraw_folder)[0])
    assert [sum(one.split == split for one in told) for split in tagged.SPLITS] == [7989, 1002, 1002]
    train = [one.words for one in told if one.split == "train"]
    words = tagged.vocabulary(train, tagged.MINIMUM, is_tag)
    assert len(words) == 362 and words[:3] == ["girl", "boy", "tree"]
    test = [len(one.words & set(words)) for one in told if one.split == "test"]
    assert min(test) >= 1 and 16 < np.mean(test) < 17


# --- MIRFlickr ------------------------------------------------------------------------------------------------------


def make_mirflickr(folder: Path, count: int = 12) -> Path:
    """A small set in the form of the owners' distribution: red and blue photographs, some without tags."""
    root = folder / "mirflickr"
    (root / "meta" / "tags").mkdir(parents=True)
    for number in range(1, count + 1):
        red = number % 2 == 1
        Image.new("RGB", (40, 30), (220, 20, 20) if red else (20, 20, 220)).save(root / f"im{number}.jpg")
        tags = [] if number == 5 else ["Sunset", "warm", f"only{number}"] if red else ["sea", "cold"]
        (root / "meta" / "tags" / f"tags{number}.txt").write_text("\r\n".join(tags))
    annotations = folder / "annotations"
    annotations.mkdir()
    (annotations / "sky.txt").write_text("1\n2\n5\n")
    (annotations / "sky_r1.txt").write_text("1\n")
    (annotations / "README.txt").write_text("Annotations of 12 pictures")
    return folder


def flickr_vectors(folder: Path) -> Path:
    path = folder / "v.txt"
    path.write_text("sunset 1 0 0\nwarm 1 1 0\nsea 0 0 1\ncold 0 1 1\nsky 1 0 1\nonly1 0 0 0\n")
    return path


def test_mirflickr_is_read_as_its_owners_distribute_it(tmp_path: Path) -> None:
    folder = make_mirflickr(tmp_path)
    plain = mirflickr.read(folder)
    assert [one.number for one in plain] == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12]
    assert plain[0].tags == {"sunset", "warm", "only1"}
    annotated = mirflickr.read(folder / "mirflickr", folder / "annotations")
    assert [one.number for one in annotated][4] == 5
    assert annotated[0].tags == {"sunset", "warm", "only1", "sky"} and annotated[4].tags == {"sky"}


def test_the_first_pairs_are_for_training_and_the_rest_in_turn_for_the_other_splits(tmp_path: Path) -> None:
    photographs = mirflickr.read(make_mirflickr(tmp_path))
    divided = mirflickr.divide(photographs, 12)  # 3 + 2 + 3 + 2 = 10 pairs, and two more
    assert [split for split, _ in divided] == ["train"] * 5 + ["val"] * 3 + ["test"] * 3
    assert [one.number for split, one in divided if split == "val"] == [7, 9, 11]


def test_mirflickr_is_prepared_with_given_features_in_the_owners_numbers(tmp_path: Path) -> None:
    folder = make_mirflickr(tmp_path)
    features = np.arange(12 * 4, dtype=np.float32).reshape(12, 4)
    np.save(tmp_path / "f.npy", features)
    out = tmp_path / "m.telldraw"
    report = mirflickr.prepare(
        folder, out, None, features=tmp_path / "f.npy", side=16, vectors=flickr_vectors(tmp_path), minimum=1, pairs=18
    )
    collection = Collection.open(out)
    assert collection.features is not None and collection.network is None
    assert set(collection.classes) == {"sunset", "warm", "sea", "cold", "only1"}
    for row, name in enumerate(collection.manifest["ids"]):
        number = int(name.removeprefix("im"))
        np.testing.assert_array_equal(collection.features[row], features[number - 1])
        assert ("sunset" in collection.shown(row)) == (number % 2 == 1)
        assert (collection.images[row, 0].mean() > 128) == (number % 2 == 1)
    assert sum(report.pictures.values()) == 11 and report.pairs["train"] <= 18


def test_mirflickr_learns_its_words_from_tags_and_its_features_from_a_network(tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    out = tmp_path / "m.telldraw"
    mirflickr.prepare(make_mirflickr(tmp_path), out, look(), dim=5, minimum=2, pairs=18)
    collection = Collection.open(out)
    assert set(collection.classes) == {"sunset", "warm", "sea", "cold"}
    assert collection.vectors is not None and collection.vectors.shape == (4, 5)
    assert collection.manifest["features"] == {"network": "mean colours"}


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((3, 4), np.float32), "3 rows"),
        (np.zeros(12, np.float32), r"\[pictures, features\]"),
        (np.full((12, 4), np.nan, np.float32), "not finite"),
        (np.array([{"a": 1}], dtype=object), "cannot be read"),
    ],
)
def test_features_that_do_not_fit_are_refused(tmp_path: Path, array: np.ndarray, said: str) -> None:
    np.save(tmp_path / "f.npy", array, allow_pickle=True)
    with pytest.raises(DataError, match=said):
        mirflickr.prepare(
            make_mirflickr(tmp_path),
            tmp_path / "m.telldraw",
            None,
            features=tmp_path / "f.npy",
            vectors=flickr_vectors(tmp_path),
            minimum=1,
        )


def test_a_folder_that_is_not_mirflickr_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="meta/tags"):
        mirflickr.read(tmp_path)
    folder = make_mirflickr(tmp_path)
    (folder / "annotations" / "sea.txt").write_text("1\ntwo\n")
    with pytest.raises(DataError, match="line 2"):
        mirflickr.read(folder, folder / "annotations")
    (folder / "mirflickr" / "im2.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match="im2.jpg"):
        mirflickr.prepare(folder, tmp_path / "m.telldraw", look(), vectors=flickr_vectors(tmp_path), minimum=1)


# --- batches --------------------------------------------------------------------------------------------------------


def test_every_pair_of_a_picture_and_its_tag_comes_once_an_epoch(prepared_tags: Path) -> None:
    collection = Collection.open(prepared_tags)
    loader = TagLoader(collection, "train", 1, seed=3)
    facts, rows = collection.tag_facts, collection.splits["train"]
    assert len(loader) == collection.labels[rows].sum() and collection.features is not None
    wanted = sorted(
        (collection.features[row].tobytes(), facts.vectors[tag].tobytes())
        for row in rows
        for tag in np.nonzero(collection.labels[row])[0]
    )
    for epoch in (0, 1):
        batches = [loader.batch(epoch * len(loader) + step) for step in range(len(loader))]
        assert sorted((b.feature[0].numpy().tobytes(), b.word[0].numpy().tobytes()) for b in batches) == wanted


def test_a_batch_depends_on_seed_and_step_alone(prepared_tags: Path) -> None:
    collection = Collection.open(prepared_tags)
    one, two = (TagLoader(collection, "train", 8, seed=seed) for seed in (0, 0))
    late = two.batch(len(two) + 1)
    run = one.iterate(0)
    for _ in range(len(one) + 1):
        next(run)
    again = next(run)
    assert torch.equal(late.word, again.word) and torch.equal(late.feature, again.feature)
    assert late.examples() == 8
    assert not torch.equal(late.word, TagLoader(collection, "train", 8, seed=1).batch(len(two) + 1).word)


def test_the_other_picture_of_a_pair_does_not_have_the_tag(prepared_tags: Path) -> None:
    collection = Collection.open(prepared_tags)
    facts, rows = collection.tag_facts, collection.splits["train"]
    assert collection.features is not None
    seen: dict[bytes, set[int]] = {}  # a feature vector -> the tags of all pictures that have it
    for row in rows:
        seen.setdefault(collection.features[row].tobytes(), set()).update(np.nonzero(collection.labels[row])[0])
    number = {facts.vectors[tag].tobytes(): tag for tag in range(len(facts.vectors))}
    loader = TagLoader(collection, "train", 16)
    for step in range(2 * len(loader)):
        batch = loader.batch(step)
        for word, other in zip(batch.word, batch.other, strict=True):
            assert number[word.numpy().tobytes()] not in seen[other.numpy().tobytes()]


def test_the_second_word_of_a_pair_is_another_tag_of_the_same_picture(prepared_tags: Path) -> None:
    collection = Collection.open(prepared_tags)
    facts, rows = collection.tag_facts, collection.splits["train"]
    assert collection.features is not None
    number = {facts.vectors[tag].tobytes(): tag for tag in range(len(facts.vectors))}
    of: dict[bytes, list[set[int]]] = {}
    for row in rows:
        of.setdefault(collection.features[row].tobytes(), []).append(
            set(np.nonzero(collection.labels[row])[0].tolist())
        )
    loader, drawn = TagLoader(collection, "train", 16), set()
    for step in range(4 * len(loader)):
        batch = loader.batch(step)
        for feature, *both in zip(batch.feature, batch.word, batch.second, strict=True):
            pair = {number[word.numpy().tobytes()] for word in both}
            own = of[feature.numpy().tobytes()]
            assert any(pair <= tags and len(pair) == min(2, len(tags)) for tags in own)
            drawn.add(frozenset(pair))
    assert len(drawn) > 2 * len(number)


def test_a_tag_that_all_pictures_have_keeps_its_own_picture(
    prepared_tags: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = Collection.open(prepared_tags)
    collection.labels[:, 0] = 1
    monkeypatch.setattr("telldraw.data.tag_loader._TRIES", 0)
    loader = TagLoader(collection, "train", 32)
    batch = loader.batch(0)
    word = torch.from_numpy(collection.tag_facts.vectors[0])
    everywhere = (batch.word == word).all(1)
    assert bool(everywhere.any()) and not bool(everywhere.all())
    assert torch.equal(batch.other[everywhere], batch.feature[everywhere])


def test_pictures_without_tags_cannot_be_tagged(tmp_path: Path, prepared_tags: Path) -> None:
    from telldraw.data.collection import write_collection

    facts = {"name": "plain", "licence": "none", "url": "", "resolution": 4, "channels": 1, "classes": ("a",)}
    with Writer(tmp_path / "plain.telldraw") as writer:
        write_collection(
            writer,
            [np.zeros((2, 1, 4, 4), np.uint8)],
            np.ones((2, 1), np.uint8),
            {**facts, "many": False, "splits": {"train": [0, 2]}},
        )
    with pytest.raises(DataError, match="without tags"):
        TagLoader(Collection.open(tmp_path / "plain.telldraw"), "train", 2)
    with pytest.raises(DataError, match="too few"):
        TagLoader(Collection.open(prepared_tags), "train", 10_000)


# --- the command ----------------------------------------------------------------------------------------------------


def test_a_missing_gensim_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], codraw_like: Path
) -> None:
    monkeypatch.setitem(sys.modules, "gensim", None)
    assert cli.main(["prepare", "codraw-tags", "--from", str(codraw_like)]) == 2
    assert "pip install 'telldraw[words]'" in capsys.readouterr().err


def test_flickr_needs_features_from_somewhere(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["prepare", "mirflickr", "--from", str(tmp_path)]) == 2
    assert "--features FILE or --network" in capsys.readouterr().err
