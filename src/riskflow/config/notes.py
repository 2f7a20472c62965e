"""Configuration of the notes track: sources, redaction policy, NER model, keys."""

from typing import ClassVar, Literal

from pydantic import Field

from riskflow.config.base import Section, StageConfig


class NotesSourceSection(Section):
    """Raw inputs: the embedded demo, or files."""

    kind: Literal["demo", "files"] = "demo"
    """demo: generated patients and notes; files: the paths below."""
    format: Literal["json", "jsonl", "csv", "parquet", "fhir", "fhir_ndjson", "synthea"] = "json"
    """How the files are written."""
    paths: list[str] = []
    """Files or folders, relative to the repository."""


class NotesDemoSection(Section):
    """The generated demo patients."""

    patients: int = Field(default=500, ge=10)
    """How many patients to generate."""
    seed: int = 20240915
    """Seed; the same seed gives the same bytes."""
    dirt: float = Field(default=0.004, ge=0, le=0.2)
    """Share of records that are dirty in each way that real files are."""


class NotesQualitySection(Section):
    """When bad input stops the run."""

    max_quarantined: float = Field(default=0.05, ge=0, le=1)
    """Highest share of records of one table that may go to quarantine."""


class NotesShardsSection(Section):
    """How the notes are cut for the per-shard stages. It never changes a result."""

    count: int = Field(default=2, ge=1, le=4096)
    """Number of shards: about 25,000 notes each is a good size."""


class NotesPolicySection(Section):
    """What replaces an identifier."""

    style: Literal["markers", "pseudonyms"] = "markers"
    """markers: [NAME], [DATE]; pseudonyms: keyed, the same for the same value of a patient."""
    shift_dates: bool = False
    """Shift dates per patient (intervals are kept) instead of a marker."""
    key_file: str = ""
    """File with the secret key, 0600; empty: the environment variable RISKFLOW_NOTES_KEY."""
    allow: list[str] = []
    """Terms that are never redacted."""
    deny: list[str] = []
    """Terms that are always redacted."""


class NotesNerSection(Section):
    """The model that finds names that no rule knows."""

    model: str = "trained"
    """trained: the model that the workflow trains itself; else the name of an installed spaCy pipeline."""
    size: Literal["small", "full"] = "small"
    """Size of the training set: small takes seconds, full some minutes."""
    seed: int = 11
    """Seed of the training."""
    batch: int = Field(default=256, ge=1)
    """Notes per batch."""
    processes: int = Field(default=1, ge=1)
    """Worker processes per shard, for an installed pipeline; the trained model is too quick for them to pay."""


class NotesGateSection(Section):
    """The leak gate: the independent reading of the finished tables that must find nothing."""

    canaries: str = ""
    """File with a text per line that must be nowhere in the published tables; empty: none."""


class NotesConfig(Section):
    """Notes track: clinical records in, redacted and de-identified tables out."""

    source: NotesSourceSection = NotesSourceSection()
    demo: NotesDemoSection = NotesDemoSection()
    quality: NotesQualitySection = NotesQualitySection()
    shards: NotesShardsSection = NotesShardsSection()
    policy: NotesPolicySection = NotesPolicySection()
    ner: NotesNerSection = NotesNerSection()
    gate: NotesGateSection = NotesGateSection()


class _Stage(StageConfig):
    track: ClassVar[str] = "notes"


class NotesDemoStage(_Stage):
    """Config of the demo generator."""

    demo: NotesDemoSection


class NotesIngestStage(_Stage):
    """Config of reading and validating the raw records."""

    source: NotesSourceSection
    shards: NotesShardsSection


class NotesQualityStage(_Stage):
    """Config of the gate after ingest."""

    quality: NotesQualitySection


class NotesTrainStage(_Stage):
    """Config of training the NER model."""

    ner: NotesNerSection


class NotesPolicyStage(_Stage):
    """Config of de-identifying the tables and of the leak gate."""

    policy: NotesPolicySection


class NotesRedactStage(NotesPolicyStage):
    """Config of redacting one shard, and of the evaluation."""

    ner: NotesNerSection


STAGES: dict[str, type[StageConfig]] = {
    "demo": NotesDemoStage,
    "ingest": NotesIngestStage,
    "quality": NotesQualityStage,
    "train": NotesTrainStage,
    "redact": NotesRedactStage,
    "deidentify": NotesPolicyStage,
    "gate": NotesPolicyStage,
    "evaluate": NotesRedactStage,
}
"""Stage name → the config that it may read; a stage that is not here reads none."""
