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
AGAINST_FOLDER = named_folder(AGAINST)
COMPARED = HAS_PRIOR or bool(AGAINST)
# Without last year's members, definitions that name them wait for them.
MEMBER_DEFINITIONS = MEMBERS.decomposition.definitions


def named_by_definitions():
    """What the definitions name: data sets and runs; nothing of a faulty file, which the stage that reads it tells of."""
    try:
        found = load_definitions(Path(MEMBER_DEFINITIONS))
    except RiskflowError:
        return set()
    return data_sets(found) | {one.run for one in found.scenarios.values() if one.run}


NAMED = named_by_definitions() if MEMBER_DEFINITIONS else set()
DECOMPOSED = bool(MEMBER_DEFINITIONS) and (HAS_PRIOR or "prior" not in NAMED)
TRANSFERRED = MEMBERS.transfers.enabled
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
    if ELSEWHERE:
        return []
    return ancient(on_this_machine(member_source_path(data_set, table)))


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
    if MEMBERS.source.kind == "demo" or ELSEWHERE:
        return []
    return [
        f"data.{table}={source_digest(Path(member_source_path(data_set, table)), SOURCE_DIGESTS)}"
        for table in MEMBER_TABLES
    ]


def year_of(data_set):
    return f"path.year={benefit_year(data_set)}"


def model_tables(data_set):
    """Params with the CMS set that scores a data set."""
    section = MEMBERS.prior if data_set == "prior" else MEMBERS.model
    return cms_tables("tables", *cms_files(benefit_year(data_set), section.vintage))


def model_variants(data_set):
    """Params with the HIOS variants of a benefit year: those of its newest release, whichever of them scores."""
    return cms_tables(
        "variants", cms_folder(benefit_year(data_set)) / "csr_variants.parquet"
    )


def all_sets():
    """Params with every CMS set that there is."""
    return cms_tables("tables", *sorted(PACKAGED.glob("*/*.*")))


@cache
def cms_tables(option, *files):
    """Params that hand CMS tables to a stage: the first file, which tells where the others are, and one digest.

    The tables come with the code, to other machines too, and are no inputs. The digest is over set, name and content:
    their dates count for nothing. Relative, so that a moved checkout makes nothing stale.
    """
    told = [
        (path.parent.name, path.name, sha256(path.read_bytes()).hexdigest())
        for path in sorted(files)
    ]
    return [
        f"path.{option}={relpath(files[0])}",
        f"data.cms_tables={sha256(repr(told).encode()).hexdigest()}",
    ]


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


# The runs beside this year's that are published, where there are such, and how the publishers are given them.
OTHER_RUNS = [
    *(["prior"] if HAS_PRIOR else []),
    *(["comparison"] if COMPARED else []),
    *(["decomposition"] if DECOMPOSED else []),
]
GIVEN_RUNS = "".join(f" --{name} {{input.{name}:q}}" for name in OTHER_RUNS)


def other_run(name):
    """The identity of a run beside this year's as an input, where there is one."""
    return [f"{M}/{name}/run.parquet"] if name in OTHER_RUNS else []


def against_file(name):
    """Where the run or the scores of the run to compare with are: last year's, of the warehouse, or of a folder."""
    if not AGAINST:
        return f"{M}/prior/{name}.parquet"
    if not AGAINST_FOLDER:
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
    return ancient(path) if AGAINST_FOLDER or (name == "run" and not AGAINST) else path


def against_digests():
    """Params with the digests of an earlier run's files."""
    if not AGAINST_FOLDER:
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
# The warehouse is a file of one machine; so a decomposition stays there that names a run of other days.
stays_here("members_record", "members_publish")
if HAS_PRIOR:
    stays_here("members_record_prior")
if AGAINST:
    stays_here("members_earlier")
if DECOMPOSED and NAMED - {"current", "prior"}:
    stays_here("members_decompose")
