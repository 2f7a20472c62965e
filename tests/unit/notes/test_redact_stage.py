"""The stages on files: shard → redacted notes and audit → published tables → leak gate; the span cache."""

from pathlib import Path

import pytest

from riskflow import artifacts
from riskflow.config.notes import NotesNerSection, NotesPolicySection, NotesRedactStage
from riskflow.contracts.notes_redacted import AUDIT, LEAKS, PUBLISHED_TABLES, REDACTED_NOTES
from riskflow.contracts.notes_sources import SOURCE_TABLES
from riskflow.errors import RiskflowError
from riskflow.notes import deidentify, leakgate
from riskflow.notes.pseudonym import KEY_VARIABLE
from riskflow.notes.redact import stage
from riskflow.notes.redact.spans import Detection, empty_spans, span_frame
from riskflow.sharding import write_manifest
from tests.unit.notes.notes_frames import KEY, OTHER_KEY, source

CANARY = "Zzyzx Quetzalcoatl"


class Counting:
    """A model that finds one made-up name, fails on one note, and counts what it reads."""

    version = "ner:counting@1"

    def __init__(self) -> None:
        self.read = 0

    def detect(self, texts):
        self.read += len(texts)
        if any("fail here" in text for text in texts):
            raise RuntimeError("cannot")
        hits = [(n, text.find(CANARY)) for n, text in enumerate(texts) if CANARY in text]
        rows = [(n, start, start + len(CANARY), "NAME", self.version) for n, start in hits]
        return Detection(span_frame(rows) if rows else empty_spans())


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    key = tmp_path / "notes.key"
    key.write_bytes(KEY)
    key.chmod(0o600)
    return NotesRedactStage(policy=NotesPolicySection(key_file=str(key)), ner=NotesNerSection())


@pytest.fixture
def shard(tmp_path) -> dict[str, Path]:
    notes = (f"Seen with {CANARY}.", "please fail here, Mr. Cruz", "Stable.", "Stable.")
    paths = {name: tmp_path / name / "0000.parquet" for name in SOURCE_TABLES}
    for name, table in source(*notes).items():
        artifacts.write(table, paths[name], SOURCE_TABLES[name])
    return paths


def redact_shard(folder, shard, config, monkeypatch, **more):
    model = Counting()
    monkeypatch.setattr(stage, "load_detectors", lambda *_: [model])
    paths = {"redacted": folder / "redacted" / "0000.parquet", "audit": folder / "audit" / "0000.parquet"}
    receipt = stage.run(**shard, **paths, config=config, **more)
    return receipt, paths, model


def publish(folder, shard, paths, config):
    published = {f"published_{name}": folder / f"{name}.parquet" for name in PUBLISHED_TABLES}
    lists = {name: path.parent for name, path in shard.items()} | {"plan": folder / "plan.json"}
    write_manifest(folder / "plan.json", {}, {"0000": 4})
    # a shard of an older plan is not read
    paths["redacted"].with_name("0009.parquet").write_bytes(b"older")
    receipt = deidentify.run(
        **lists,
        redacted=paths["redacted"].parent,
        audits=paths["audit"].parent,
        **published,
        audit=folder / "audit.parquet",
        config=config,
    )
    return receipt, published, lists


def test_a_shard_is_redacted_published_and_passes_the_gate(tmp_path, shard, config, monkeypatch):
    receipt, paths, _ = redact_shard(tmp_path, shard, config, monkeypatch)
    assert receipt.counts["read"] == 4 and receipt.counts["withheld"] == 1 and receipt.counts["redacted"] == 3
    assert len(receipt.facts["withheld"]) == 1
    redacted = artifacts.read(paths["redacted"], REDACTED_NOTES)
    assert sorted(redacted["note"].drop_nulls()) == ["Seen with [NAME].", "Stable.", "Stable."]
    audit = artifacts.read(paths["audit"], AUDIT)
    assert audit.select("kind", "source", "detector").row(0) == ("NAME", "ner:counting@1", "ner:counting@1")

    receipt, published, lists = publish(tmp_path, shard, paths, config)
    assert receipt.counts == {"patients": 1, "encounters": 1, "observations": 4, "withheld": 1}
    canaries = tmp_path / "canaries.txt"
    canaries.write_text(f"{CANARY}\nfail here\nOlson Landing\n", encoding="utf-8")
    gate = leakgate.run(
        **lists, **published, findings=tmp_path / "leaks.parquet", config=config, canaries=canaries
    )
    assert gate.counts["leaks"] == 0 and artifacts.read(tmp_path / "leaks.parquet", LEAKS).is_empty()
    for path in (*published.values(), *paths.values(), tmp_path / "audit.parquet"):
        data = path.read_bytes()
        for secret in (CANARY, "Cruz", "0012345", "Okonkwo", KEY.decode()):
            assert secret.encode() not in data


def test_the_gate_refuses_and_writes_nothing(tmp_path, shard, config, monkeypatch):
    _, paths, _ = redact_shard(tmp_path, shard, config, monkeypatch)
    _, published, lists = publish(tmp_path, shard, paths, config)
    canaries = tmp_path / "canaries.txt"
    canaries.write_text("stable\n", encoding="utf-8")
    with pytest.raises(RiskflowError, match="refuses the batch: 2 findings"):
        leakgate.run(
            **lists, **published, findings=tmp_path / "leaks.parquet", config=config, canaries=canaries
        )
    assert not (tmp_path / "leaks.parquet").exists()


def test_the_same_key_gives_the_same_bytes_and_another_key_nothing_in_common(
    tmp_path, shard, config, monkeypatch
):
    digests = []
    for name in ("first", "again"):
        _, paths, _ = redact_shard(tmp_path / name, shard, config, monkeypatch)
        digests.append([path.read_bytes() for path in paths.values()])
    assert digests[0] == digests[1]
    Path(config.policy.key_file).write_bytes(OTHER_KEY)
    _, paths, _ = redact_shard(tmp_path / "other", shard, config, monkeypatch)
    ours = artifacts.read(tmp_path / "first" / "redacted" / "0000.parquet", REDACTED_NOTES)
    theirs = artifacts.read(paths["redacted"], REDACTED_NOTES)
    assert not set(ours["observation_id"]) & set(theirs["observation_id"])


def test_the_cache_reads_a_text_once_and_again_only_what_changed_or_failed(
    tmp_path, shard, config, monkeypatch
):
    cache = tmp_path / "cache"
    _, paths, model = redact_shard(tmp_path / "one", shard, config, monkeypatch, cache=cache)
    first = paths["redacted"].read_bytes()
    assert model.read >= 3
    _, paths, model = redact_shard(tmp_path / "two", shard, config, monkeypatch, cache=cache)
    assert model.read == 1
    assert paths["redacted"].read_bytes() == first
    for file in cache.rglob("*.parquet"):
        assert b"Quetzalcoatl" not in file.read_bytes()
    denied = config.model_copy(update={"policy": config.policy.model_copy(update={"deny": ["stable"]})})
    _, paths, model = redact_shard(tmp_path / "three", shard, denied, monkeypatch, cache=cache)
    assert model.read == 1
    assert sorted(artifacts.read(paths["redacted"], REDACTED_NOTES)["note"].drop_nulls()) == [
        "Seen with [NAME].",
        "[ID].",
        "[ID].",
    ]


def test_a_damaged_cache_is_a_clear_error(tmp_path, shard, config, monkeypatch):
    cache = tmp_path / "cache"
    redact_shard(tmp_path, shard, config, monkeypatch, cache=cache)
    next(cache.rglob("*.parquet")).write_bytes(b"damaged")
    with pytest.raises(RiskflowError, match="delete that folder"):
        redact_shard(tmp_path, shard, config, monkeypatch, cache=cache)


def test_notes_of_another_policy_are_refused(tmp_path, shard, config, monkeypatch):
    _, paths, _ = redact_shard(tmp_path, shard, config, monkeypatch)
    other = config.model_copy(update={"policy": config.policy.model_copy(update={"style": "pseudonyms"})})
    with pytest.raises(RiskflowError, match="another policy"):
        publish(tmp_path, shard, paths, other)


def test_without_a_key_nothing_is_written(tmp_path, shard, config, monkeypatch):
    bare = config.model_copy(update={"policy": NotesPolicySection()})
    with pytest.raises(RiskflowError, match="no key"):
        redact_shard(tmp_path, shard, bare, monkeypatch)
    assert not (tmp_path / "redacted").exists()
