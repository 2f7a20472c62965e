"""What the rules of the members track are made of: its data sets, their files, tables and params."""

from hashlib import sha256
from os.path import relpath

from riskflow.config.base import leaf_values
from riskflow.members.definitions import data_sets, load as load_definitions
from riskflow.members.tables.load import (
    PACKAGED,
    files as cms_files,
    folder as cms_folder,
)

M = f"{RESULTS}/members"
MEMBERS = CONFIG.members
MEMBER_TABLES = ("spans", "diagnoses", "drugs")
# Last year's members: generated with the demo, else where the config names their files.
HAS_PRIOR = (
    MEMBERS.prior_year > 2020
    if MEMBERS.source.kind == "demo"
    else bool(MEMBERS.prior.spans.path)
)
DATA_SETS = ["current", *(["prior"] if HAS_PRIOR else [])]
# What this year's run is compared with: an earlier one of the config's, else last year's.
AGAINST = MEMBERS.comparison.against
COMPARED = HAS_PRIOR or bool(AGAINST)
# Without last year's members, definitions that name them wait for them.
MEMBER_DEFINITIONS = MEMBERS.decomposition.definitions


def names_prior(path):
    """Whether a definitions file names last year's members; a faulty one is told of by the stage that reads it."""
    try:
        return "prior" in data_sets(load_definitions(Path(path)))
    except RiskflowError:
        return False


DECOMPOSED = bool(MEMBER_DEFINITIONS) and (
    HAS_PRIOR or not names_prior(MEMBER_DEFINITIONS)
)
TRANSFERRED = MEMBERS.transfers.enabled
MEMBER_WAREHOUSE = f"path.warehouse_file={RESULTS}/warehouse.duckdb"
COMPARISON_FILES = [
    f"{M}/comparison/{name}.parquet" for name in ("members", "summary", "bins", "moved")
]
DECOMPOSITION_FILES = [
    f"{M}/decomposition/{name}.parquet"
    for name in ("effects", "definitions", "scenarios")
]
TRANSFER_FILES = [f"{M}/transfers.parquet", f"{M}/transfer_pools.parquet"]


def benefit_year(data_set):
    return MEMBERS.prior_year if data_set == "prior" else MEMBERS.model.benefit_year


def members_stage(step, data_set):
    """Params of a stage as its data set has them: for the prior members their own year, vintage and sources."""
    params = stage(f"members.{step}")
    if data_set == "current":
        return params
    prior = MEMBERS.prior.model_dump(mode="json")
    source = {name: prior[name] for name in MEMBER_TABLES}
    model = {"benefit_year": MEMBERS.prior_year, "vintage": prior["vintage"]}
    replaced = ("config.model.benefit_year=", "config.model.vintage=") + tuple(
        f"config.source.{name}." for name in MEMBER_TABLES
    )
    sections = {part.split(".")[1] for part in params if part.startswith("config.")}
    own = [
        (section, values)
        for section, values in (("source", source), ("model", model))
        if section in sections
    ]
    return [
        *(p for p in params if not p.startswith(replaced)),
        *(
            f"config.{section}.{key}={value}"
            for section, values in own
            for key, value in leaf_values(values).items()
        ),
    ]


def member_source(data_set, table):
    """The file of a raw table: what the demo generates, or the user's own."""
    if MEMBERS.source.kind == "demo":
        return f"{M}/{data_set}/source/{table}.parquet"
    return ancient(member_source_path(data_set, table))


def member_source_path(data_set, table):
    section = MEMBERS.prior if data_set == "prior" else MEMBERS.source
    path = getattr(section, table).path
    if not Path(path).is_file():
        where = "prior" if data_set == "prior" else "source"
        raise WorkflowError(
            f"members.{where}.{table}.path: no such file: {path or '(empty)'}; "
            "write a path relative to the repository"
        )
    return path


def member_source_digests(data_set):
    """Params with the digests of the user's raw tables; the demo's are outputs of a rule."""
    if MEMBERS.source.kind == "demo":
        return []
    return [
        f"data.{table}={source_digest(Path(member_source_path(data_set, table)), SOURCE_DIGESTS)}"
        for table in MEMBER_TABLES
    ]


def year_of(data_set):
    return f"path.year={benefit_year(data_set)}"


def model_tables(data_set):
    """The files of the CMS set that scores a data set, by relative paths: a moved checkout makes nothing stale."""
    section = MEMBERS.prior if data_set == "prior" else MEMBERS.model
    found = cms_files(benefit_year(data_set), section.vintage)
    return [ancient(relpath(path)) for path in found]


def model_variants(data_set):
    """The HIOS variants of a data set's benefit year: those of its newest release, whichever of them scores."""
    path = cms_folder(benefit_year(data_set)) / "csr_variants.parquet"
    return ancient(relpath(path))


@cache
def tables_digest(*files):
    """A param with one digest over CMS tables, by set, name and content; their dates count for nothing."""
    told = [
        (path.parent.name, path.name, sha256(path.read_bytes()).hexdigest())
        for path in map(Path, sorted(files))
    ]
    return f"data.cms_tables={sha256(repr(told).encode()).hexdigest()}"


def user_file(option, path, key):
    """Params that hand a file of the user's to a stage; none where the config names none."""
    if not path:
        return []
    if not Path(path).is_file():
        raise WorkflowError(f"{key}: no such file: {path}")
    return [
        f"path.{option}={path}",
        f"data.{option}={source_digest(Path(path), SOURCE_DIGESTS)}",
    ]


def run_code(program):
    """Params with the code of another stage's program, which a run's identity is made of."""
    return [p for p in stage(f"members.{program}") if p.startswith("code.")]


def published(part):
    """Params that hand the identity of a run to the publisher, where there is one."""
    there = {
        "prior": HAS_PRIOR,
        "comparison": COMPARED,
        "decomposition": DECOMPOSED,
    }[part]
    return [f"path.{part}={M}/{part}/run.parquet"] if there else []


def against_file(name):
    """Where the run or the scores of the run to compare with are: last year's, of the warehouse, or of a folder."""
    if not AGAINST:
        return f"{M}/prior/{name}.parquet"
    if not Path(AGAINST).is_dir():
        return f"{M}/earlier/{name}.parquet"
    path = Path(
        AGAINST, "members", "current/run.parquet" if name == "run" else "scores.parquet"
    )
    if not path.is_file():
        raise WorkflowError(
            f"members.comparison.against: {AGAINST} has no {path.relative_to(AGAINST)}; "
            "write the results folder of a finished run of the members track, or a run id"
        )
    return str(path)


def against(name):
    """The same as an input; files of an earlier run count by content, and the started rows lie before the plan."""
    path = against_file(name)
    of_folder = AGAINST and Path(AGAINST).is_dir()
    return ancient(path) if of_folder or (name == "run" and not AGAINST) else path


def against_digests():
    """Params with the digests of an earlier run's files."""
    if not AGAINST or not Path(AGAINST).is_dir():
        return []
    return [
        f"data.{name}={source_digest(Path(against_file(name)), SOURCE_DIGESTS)}"
        for name in ("run", "scores")
    ]


ELIGIBLE = user_file(
    "eligible", MEMBERS.model.eligible_codes, "members.model.eligible_codes"
)
ELIGIBLE_DIGEST = [p for p in ELIGIBLE if p.startswith("data.")]
# The receipts that say what a run was: those of the global stages, and of one shard.
MEMBER_RECEIPTS = [
    *(
        f"{name}_{data_set}"
        for name in ("ingest", "record", "merge")
        for data_set in DATA_SETS
    ),
    *("quality", "shard", "score_current/0000", "publish"),
    *(["transfer"] if TRANSFERRED else []),
    *(["compare"] if COMPARED else []),
    *(["decompose"] if DECOMPOSED else []),
]
ALL_SETS = sorted(relpath(path) for path in PACKAGED.glob("*/*.*"))
