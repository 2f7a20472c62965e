"""The name model: sentences, prefilter, training, detection, failures of single texts, the pool."""

import json
from itertools import pairwise

import polars as pl
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language

from riskflow.config.notes import NotesNerSection, NotesTrainStage
from riskflow.errors import RiskflowError
from riskflow.notes.evaluate import evaluate
from riskflow.notes.ner import detector as detector_module
from riskflow.notes.ner import model_file, reader, stage, worker
from riskflow.notes.ner.detector import NerDetector, detector_for
from riskflow.notes.ner.lexicon import word_class
from riskflow.notes.ner.reader import Reader
from riskflow.notes.ner.sentences import LONGEST, may_hold_name, may_hold_names, sentences
from riskflow.notes.ner.train import LABELS, Recipe, generated_sentences, train
from riskflow.notes.ner.words import word_table
from riskflow.notes.ner.worker import load_pipeline
from riskflow.notes.redact.text import canonical
from riskflow.notes.templates.markup import Labelled

# the tests that need the model run in one process, so that it is trained once

# Sentences -------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.text(alphabet="aB. \n!?1\u2028é(,", max_size=200))
def test_sentences_are_in_order_and_leave_out_only_blanks(text):
    spans = list(sentences(text))
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    covered = set().union(*(range(*span) for span in spans))
    assert not "".join(c for i, c in enumerate(text) if i not in covered).strip()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Seen by Dr. Ruiz today. Doing well.", 2),
        ("Mr. Lee and Mrs. Lee came. St. Luke's called.", 2),
        ("Temp 98.6 today.\nBP 120/80\n\nStable", 3),
        ("Ruiz, Ana M.D. will see her.", 1),
    ],
)
def test_sentences_do_not_end_at_titles_and_decimals(text, count):
    assert len(list(sentences(text))) == count


def test_run_on_text_is_cut_at_blanks():
    spans = list(sentences("word " * 1000))
    assert max(end - start for start, end in spans) <= LONGEST + 10


# Prefilter -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sentence",
    [
        "Discussed with Mark.",
        "texted dr. smith",
        "Texted Jones about orders.",
        "seen by maria",
        "O'Brien called.",
        "Wrzbkowski is well.",
        "JONES CALLED",
        "Moved to Toledo.",
        "AB initialed the form.",
        "Grace is here.",
        "her daughter anneliese",
        "De la Cruz left.",
    ],
)
def test_sentences_with_a_name_are_read(sentence):
    assert may_hold_name(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Lungs clear to auscultation.",
        "Will continue metformin 500 mg daily.",
        "Parkinson disease, stable.",
        "Foley catheter removed.",
        "Abdomen: soft, nontender.",
        "Started Lipitor 20 mg.",
        "BP 120/80, HR 70.",
        "no edema, pulses 2+",
        "Patient denies chest pain.",
    ],
)
def test_plain_prose_is_passed_over(sentence):
    assert not may_hold_name(sentence)


def test_the_prefilter_keeps_nearly_all_names_of_unseen_notes():
    found = [
        item
        for item in generated_sentences("evaluation", 17, 3000)
        if any(s[2] == "NAME" for s in item.spans)
    ]
    names = sum(s[2] == "NAME" for item in found for s in item.spans)
    read = may_hold_names([canonical(item.text) for item in found])
    kept = sum(s[2] == "NAME" for item, wanted in zip(found, read, strict=True) if wanted for s in item.spans)
    assert kept / names > 0.98


def test_the_prefilter_passes_over_most_prose_of_the_training_half():
    plain = [item.text for item in generated_sentences("train", 17, 3000, phi_share=0.0)]
    assert may_hold_names(plain).mean() < 0.25


def test_word_classes_come_from_the_lists():
    assert word_class("Maria")[0] == "c"
    assert word_class("Smith's")[1] == "c"
    assert word_class("Xqzvk") == "...."


# Training --------------------------------------------------------------------------------------------------------


def test_training_is_deterministic_by_seed(tmp_path):
    recipe = Recipe(sentences=300, epochs=2, seed=5)
    first, again = train(recipe), train(recipe)
    other = train(Recipe(sentences=300, epochs=2, seed=6))
    assert model_file.dumps(first.nlp) == model_file.dumps(again.nlp)
    assert model_file.dumps(first.nlp) != model_file.dumps(other.nlp)


def test_the_model_file_does_not_hold_the_names_it_was_trained_on(model):
    data = model.read_bytes()
    names = {
        item.text[s:e]
        for item in generated_sentences("train", 4, 300)
        for s, e, k in item.spans
        if k == "NAME"
    }
    assert not [name for name in names if len(name) > 8 and name.encode() in data]


def test_a_file_that_is_no_model_is_a_clear_error(tmp_path):
    (tmp_path / "m").write_bytes(b"nonsense")
    with pytest.raises(RiskflowError, match="no model"):
        NerDetector(tmp_path / "m")
    with pytest.raises(RiskflowError, match="no spaCy pipeline"):
        NerDetector("en_no_such_pipeline")


def test_the_stage_writes_a_model_and_a_card_with_scores(tmp_path, monkeypatch):
    monkeypatch.setitem(stage.SIZES, "small", (1500, 3))
    monkeypatch.setattr(stage, "_TEST_SENTENCES", 400)
    config = NotesTrainStage(ner=NotesNerSection(size="small", seed=3))
    stage.run(model=tmp_path / "m", card=tmp_path / "card.json", config=config)
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["model"] == detector_for(tmp_path / "m", 64, 1).version
    assert 0 < card["scores"]["unseen_templates_and_names"]["kinds"]["NAME"]["recall"] <= 1
    assert card["training"]["sentences"] == 1500
    assert (tmp_path / "m").stat().st_size < 4 << 20


# Detection -------------------------------------------------------------------------------------------------------


def test_names_are_found_with_right_offsets_after_unicode(model):
    text = "Łódź é𝒳 note.\nDiscussed with Dr. Robert Miller about results. Lungs clear."
    spans = NerDetector(model).detect([text]).spans.rows(named=True)
    assert any("Miller" in text[s["start"] : s["end"]] and s["kind"] == "NAME" for s in spans)
    assert all(text[s["start"] : s["end"]].strip() for s in spans)


def test_unseen_notes_are_read_well_even_by_a_small_model(model):
    items = [
        Labelled(i.text, tuple(s for s in i.spans if s[2] in LABELS))
        for i in generated_sentences("evaluation", 5, 800)
    ]
    scores = evaluate([(str(n), item) for n, item in enumerate(items)], NerDetector(model)).scores
    row = scores.row(by_predicate=pl.col("kind") == "NAME", named=True)
    assert row["recall"] > 0.75
    assert row["precision"] > 0.75


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """Return the folder of a spaCy pipeline that knows one name and breaks on texts with a certain word."""
    if not Language.has_factory("breaks_on_word"):

        @Language.component("breaks_on_word")
        def breaks_on_word(doc):
            if "Explode" in doc.text:
                raise ValueError("broken by " + doc.text)
            return doc

    nlp = spacy.blank("en")
    names = nlp.add_pipe("entity_ruler", name="ner")
    names.add_patterns([{"label": "PERSON", "pattern": "Robert Miller"}])
    nlp.add_pipe("breaks_on_word")
    folder = tmp_path_factory.mktemp("pipeline") / "en_test"
    nlp.to_disk(folder)
    return folder


@pytest.fixture(params=["trained", "installed"])
def fragile(request, model, monkeypatch):
    """Return a detector that breaks on texts with a certain word."""
    if request.param == "installed":
        return NerDetector(request.getfixturevalue("installed"))

    def breaking(sentences):
        if any("Explode" in sentence for sentence in sentences):
            raise ValueError("broken by " + sentences[0])
        return word_table(sentences)

    monkeypatch.setattr(reader, "word_table", breaking)
    return NerDetector(model)


def test_a_failure_is_of_its_own_text_only(fragile):
    texts = [
        "Call Robert Miller.",
        "Explode, Ana Ruiz.",
        "Call Robert Miller. Stable.",
        "Fine.\nExplode again Smith",
    ]
    found = fragile.detect(texts)
    assert set(found.failed) == {1, 3}
    assert all("Ruiz" not in reason and "Explode" not in reason for reason in found.failed.values())
    assert found.spans["text_id"].unique().to_list() == [0, 2]


def test_what_is_no_text_is_a_failure(model):
    assert set(NerDetector(model).detect(["fine", None]).failed) == {1}


def test_the_reader_finds_what_the_spacy_pipeline_finds(model):
    texts = [canonical(item.text) for item in generated_sentences("evaluation", 8, 800)]
    read = Reader(model_file.network(model.read_bytes())).read(texts)
    tables = [word_table([text]) for text in texts]
    piped = [
        [(table.starts[e.start], table.ends[e.end - 1], e.label_) for e in doc.ents]
        for table, doc in zip(tables, load_pipeline(str(model)).pipe(texts), strict=True)
    ]
    assert read == piped
    assert sum(map(len, read)) > 500


def test_what_is_read_together_does_not_matter(model):
    texts = [canonical(item.text) for item in generated_sentences("evaluation", 9, 300)]
    one = Reader(model_file.network(model.read_bytes()))
    assert one.read(texts) == [one.read([text])[0] for text in texts]
    assert one.read(texts[::-1])[::-1] == one.read(texts)


@settings(deadline=None)
@given(st.lists(st.text(alphabet="aBs'’- 1.\n\u2028é😀(", max_size=40), max_size=5))
def test_words_are_all_that_is_not_blank_with_right_offsets(texts):
    table = word_table([canonical(text) for text in texts])
    for number, text in enumerate(texts):
        at = range(table.first[number], table.first[number + 1])
        words = [table.words[table.ids[i]] for i in at]
        assert words == [canonical(text)[table.starts[i] : table.ends[i]] for i in at]
        assert "".join(words) == "".join(canonical(text).split())


def test_the_pool_finds_what_one_process_finds(model, monkeypatch):
    monkeypatch.setattr(detector_module, "POOL_FROM", 0)
    monkeypatch.setattr(worker.Trained, "quick", False)
    monkeypatch.setattr(detector_module, "_CHUNK", 50)
    texts = [item.text for item in generated_sentences("evaluation", 6, 300)]
    alone, pooled = NerDetector(model).detect(texts), NerDetector(model, processes=2).detect(texts)
    assert alone.spans.equals(pooled.spans)
    assert not pooled.failed


def test_a_worker_that_dies_leaves_its_texts_failed_not_unread(model, monkeypatch):
    monkeypatch.setattr(worker.Trained, "quick", False)
    monkeypatch.setattr(detector_module, "POOL_FROM", 0)
    monkeypatch.setattr(detector_module.sys, "executable", "/bin/false")
    assert set(NerDetector(model, processes=2).detect(["Call Robert Miller."]).failed) == {0}


def test_no_texts_and_no_sentences_are_no_failure(model):
    detector = NerDetector(model)
    assert detector.detect([]).spans.is_empty()
    assert detector.detect(["", "  \n"]).failed == {}


def test_the_version_names_the_weights(model, tmp_path):
    other = tmp_path / "other"
    model_file.save(train(Recipe(sentences=200, epochs=1, seed=9)).nlp, other)
    assert NerDetector(model).version != NerDetector(other).version
    assert NerDetector(model).version.startswith("ner:en_clinical_notes@2.0.0-")
