"""Demo patients and composed notes: deterministic, labelled right, halves that share nothing."""

import json
from random import Random

import orjson
import pytest

from riskflow.notes.demo import demo_records
from riskflow.notes.demo_files import write_demo
from riskflow.notes.evaluate import read_labelled
from riskflow.notes.templates import identifiers
from riskflow.notes.templates.compose import Composer
from riskflow.notes.templates.markup import labelled
from riskflow.notes.templates.vocabulary import half_of, vocabulary


@pytest.fixture(scope="module")
def demo():
    return list(demo_records(120, 7))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path, demo):
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        write_demo(demo_records(40, seed), tmp_path / f"{name}.json", tmp_path / f"{name}.jsonl", 0.05, seed)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert (tmp_path / "a.json").read_bytes() != (tmp_path / "c.json").read_bytes()


def test_the_benchmark_has_30061_observations_of_10000_patients():
    counts = [(n + 1) * 30_061 // 10_000 - n * 30_061 // 10_000 for n in range(10_000)]
    assert (sum(counts), min(counts), max(counts)) == (30_061, 3, 4)
    assert sum(len(r.record["observations"]) for r in demo_records(100, 1)) == 301


def test_every_label_is_where_its_value_is(demo):
    for item in demo:
        patient = item.record["patient"]
        for row in item.record["observations"]:
            note = item.notes[row["observation_id"]]
            assert row["notes"] == note.text
            assert all(0 <= s < e <= len(note.text) and note.text[s:e].strip() for s, e, _ in note.spans)
            numbers = {note.text[s:e].lower() for s, e, kind in note.spans if kind == "MRN"}
            assert numbers <= {patient["patient_id"]}


def test_own_identifiers_of_the_record_are_labelled_wherever_they_stand(demo):
    found = 0
    for item in demo:
        for note in item.notes.values():
            for own in (
                item.record["patient"]["patient_id"],
                item.record["patient"]["email"],
                item.record["patient"]["family_name"],
            ):
                place = note.text.find(own)
                if place >= 0 and len(own) > 5:
                    found += 1
                    covered = any(s < place + len(own) and e > place for s, e, _ in note.spans)
                    assert covered, "an identifier of the record stands in a note without a label"
    assert found > 20


def test_the_demo_holds_every_kind_of_identifier():
    kinds = {
        kind for item in demo_records(400, 2) for note in item.notes.values() for _, _, kind in note.spans
    }
    assert kinds >= {"NAME", "GEO", "DATE", "AGE", "PHONE", "EMAIL", "SSN", "MRN", "PLAN", "ACCOUNT"}


def test_training_frames_hold_every_kind_of_identifier():
    composer = Composer("train", 1)
    kinds = {
        kind for _ in range(3000) for _, _, kind in labelled(composer.note(composer.cast(), 4, 1.0)).spans
    }
    assert len(kinds) == 18, kinds  # all kinds but BIOMETRIC and ID


def test_the_halves_share_no_frame_decoration_name_or_city():
    train, test = vocabulary("train"), vocabulary("evaluation")
    assert not set(train.frames) & set(test.frames)
    assert not set(train.prose) & set(test.prose)
    assert not set(train.last.words) & set(test.last.words)
    assert not set(train.female.words + train.male.words) & set(test.female.words + test.male.words)
    assert not {c.name for c in train.cities} & {c.name for c in test.cities}
    for slot, forms in train.decorations.items():
        assert not set(forms) & set(test.decorations[slot])
        assert len(test.decorations[slot]) >= 3
    assert 0.1 < len(test.frames) / len(train.frames + test.frames) < 0.35


def test_the_half_of_a_name_does_not_depend_on_its_case():
    assert half_of("Smith") == half_of("SMITH") == half_of(" smith ")


def test_thousands_of_different_sentence_frames_arise():
    composer = Composer("train", 5)
    assert len({composer.frame() for _ in range(20_000)}) > 2000


def test_no_frame_leaves_a_slot_or_a_choice_open():
    for half in ("train", "evaluation"):
        composer = Composer(half, 3)
        for _ in range(4000):
            text = labelled(composer.note(composer.cast(), 2, 0.6)).text
            assert not set("{}<>[]") & set(text), text


def test_npi_numbers_have_a_right_check_digit():
    for seed in range(200):
        digits = [int(d) for d in "80840" + identifiers.npi(Random(seed))]
        total = sum(digits[-1::-2]) + sum(sum(divmod(2 * d, 10)) for d in digits[-2::-2])
        assert total % 10 == 0


def test_labels_are_written_so_that_evaluate_reads_them(tmp_path, demo):
    write_demo(demo, tmp_path / "r.json", tmp_path / "l.jsonl")
    expected = [(name, note) for item in demo for name, note in item.notes.items()]
    assert read_labelled(tmp_path / "l.jsonl") == expected
    records = orjson.loads((tmp_path / "r.json").read_bytes())
    assert [r["patient"]["patient_id"] for r in records] == [i.record["patient"]["patient_id"] for i in demo]


def test_jsonl_has_one_record_a_line(tmp_path, demo):
    write_demo(demo, tmp_path / "r.jsonl", None)
    lines = (tmp_path / "r.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [item.record for item in demo]
