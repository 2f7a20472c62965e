"""The code fingerprint: what runs is in it, what does not run is not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from riskflow import provenance
from riskflow.code_facts import code_facts
from riskflow.jobs import CODE_FACTS_VARIABLE
from riskflow.provenance import forget

FILES = {
    "riskflow/__init__.py": "",
    "riskflow/tools.py": '"""Tools."""\n\ndef double(x):\n    """Twice."""\n    return 2 * x\n',
    "riskflow/unused.py": "def nothing():\n    return None\n",
    "riskflow/track/__init__.py": "",
    "riskflow/track/score.py": (
        "from riskflow.tools import double\nfrom . import sibling\nfrom .deep.leaf import LEAF\n\n\n"
        'def query():\n    return text(__package__, "score.sql")\n'
    ),
    "riskflow/track/sibling.py": "from ..above import ABOVE\n",
    "riskflow/track/score.sql": "SELECT 1",
    "riskflow/track/other.sql": "SELECT 2",
    "riskflow/track/deep/__init__.py": "",
    "riskflow/track/deep/leaf.py": "LEAF = 1\n",
    "riskflow/above.py": "ABOVE = 1\n\n\ndef late():\n    import riskflow.lazy\n",
    "riskflow/lazy.py": "LAZY = 1\n",
    "program.py": "import json\nfrom riskflow.track import score\n\nif __name__ == '__main__':\n    score.query()\n",
}
Change = Callable[[str, str], set[str]]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    monkeypatch.setattr(provenance, "ROOT", tmp_path / "riskflow")
    forget()
    yield tmp_path
    forget()


@pytest.fixture
def changed(tree: Path) -> Change:
    """Return a function that writes a file and names the modules whose hash changed, came or went."""

    def change(name: str, content: str) -> set[str]:
        before = provenance.fingerprint(tree / "program.py")
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(content)
        forget()
        after = provenance.fingerprint(tree / "program.py")
        return {key for key in before | after if before.get(key) != after.get(key)}

    return change


def test_the_fingerprint_is_the_import_closure(tree: Path) -> None:
    assert list(provenance.fingerprint(tree / "program.py")) == [
        "program.py",
        "riskflow",
        "riskflow.above",
        "riskflow.lazy",
        "riskflow.tools",
        "riskflow.track",
        "riskflow.track.deep",
        "riskflow.track.deep.leaf",
        "riskflow.track.score",
        "riskflow.track.sibling",
    ]


@pytest.mark.parametrize(
    "content",
    [
        '"""Other words."""\n\n\ndef double(x):\n    """Other words."""\n    return 2 * x\n',
        "def double(x):\n    # why\n    return (\n        2\n        * x\n    )\n",
        "def double(x): return 2*x",
    ],
    ids=["docstrings", "comment and line breaks", "one line"],
)
def test_docstrings_comments_and_formatting_change_nothing(changed: Change, content: str) -> None:
    assert changed("riskflow/tools.py", content) == set()


@pytest.mark.parametrize(
    ("name", "content", "module"),
    [
        ("riskflow/tools.py", "def double(x):\n    return 3 * x\n", "riskflow.tools"),
        ("riskflow/tools.py", "def double(x, y=1):\n    return 2 * x\n", "riskflow.tools"),
        ("riskflow/lazy.py", "LAZY = 2\n", "riskflow.lazy"),
        ("riskflow/above.py", FILES["riskflow/above.py"].replace("= 1", "= 2"), "riskflow.above"),
        (
            "riskflow/track/sibling.py",
            FILES["riskflow/track/sibling.py"] + "X = 1\n",
            "riskflow.track.sibling",
        ),
        ("riskflow/track/deep/leaf.py", "LEAF = 2\n", "riskflow.track.deep.leaf"),
        ("riskflow/track/__init__.py", "X = 1\n", "riskflow.track"),
        ("riskflow/__init__.py", "X = 1\n", "riskflow"),
        ("riskflow/track/score.sql", "SELECT 9", "riskflow.track.score"),
        ("program.py", FILES["program.py"] + "X = 1\n", "program.py"),
    ],
)
def test_a_change_that_runs_is_seen_in_its_own_module_only(
    changed: Change, name: str, content: str, module: str
) -> None:
    assert changed(name, content) == {module}


@pytest.mark.parametrize(
    "name", ["riskflow/unused.py", "riskflow/track/other.sql", "riskflow/track/new.py", "riskflow/new.sql"]
)
def test_a_change_that_does_not_run_is_not_seen(changed: Change, name: str) -> None:
    assert changed(name, "X = 1\n") == set()


def test_a_new_import_brings_its_module_in(changed: Change) -> None:
    content = FILES["riskflow/track/sibling.py"] + "from riskflow import unused\n"
    assert changed("riskflow/track/sibling.py", content) == {"riskflow.track.sibling", "riskflow.unused"}


def test_a_query_named_only_in_a_docstring_does_not_count(changed: Change, tree: Path) -> None:
    changed("riskflow/tools.py", '"""score.sql and other.sql"""\n')
    (tree / "riskflow/other.sql").write_text("SELECT 3")
    assert changed("riskflow/other.sql", "SELECT 4") == set()


def test_modules_that_import_each_other_end(changed: Change) -> None:
    assert changed("riskflow/lazy.py", "import riskflow.above\n") == {"riskflow.lazy"}


def test_the_fingerprint_never_depends_on_where_the_checkout_is(
    tree: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = provenance.fingerprint(tree / "program.py")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "copy"
    tree.rename(elsewhere)
    monkeypatch.setattr(provenance, "ROOT", elsewhere / "riskflow")
    forget()
    assert provenance.fingerprint(elsewhere / "program.py") == first


def test_every_query_of_the_package_is_named_in_code() -> None:
    """A name put together at run time (an f-string) would be invisible to the fingerprint."""
    forget()
    seen = {
        resource
        for module in provenance.ROOT.rglob("*.py")
        for resource in provenance.resources(module.parent, code_facts(module, "any").files)
    }
    queries = {path for suffix in ("*.sql", "*.cypher") for path in provenance.ROOT.rglob(suffix)}
    assert sorted(str(path.relative_to(provenance.ROOT)) for path in queries - seen) == []


def test_git_state_tells_the_commit_of_this_checkout() -> None:
    state = provenance.git_state()
    assert set(state) == {"branch", "commit", "commit_date", "clean"}
    if (provenance.ROOT.parents[1] / ".git").exists():
        assert len(str(state["commit"])) == 40


def test_a_remembered_module_is_read_again_when_it_changed(tree: Path) -> None:
    memory = tree / "memory.json"
    first = provenance.fingerprint(tree / "program.py", memory)
    forget()
    assert provenance.fingerprint(tree / "program.py", memory) == first
    (tree / "riskflow/tools.py").write_text("def double(x):\n    return x + x\n")
    (tree / "riskflow/track/score.sql").write_text("SELECT 7")
    forget()
    after = provenance.fingerprint(tree / "program.py", memory)
    assert {name for name in after if after[name] != first[name]} == {
        "riskflow.tools",
        "riskflow.track.score",
    }


def test_a_broken_memory_is_made_anew(tree: Path) -> None:
    memory = tree / "memory.json"
    first = provenance.fingerprint(tree / "program.py", memory)
    memory.write_text("{not json")
    forget()
    assert provenance.fingerprint(tree / "program.py", memory) == first


def test_told_by_package_every_module_still_counts(tree: Path) -> None:
    modules = provenance.fingerprint(tree / "program.py")
    told = provenance.by_package(modules)
    assert set(told) == {"program.py", "riskflow", "riskflow.track", "riskflow.track.deep"}
    for module in modules:
        changed = provenance.by_package({**modules, module: "another"})
        assert [package for package in told if told[package] != changed[package]] == [
            module if module in told else module.rpartition(".")[0]
        ]


def test_a_package_below_another_is_told_apart() -> None:
    modules = {"riskflow": "0", "riskflow.errors": "1", "riskflow.graph": "2", "riskflow.graph.build": "3"}
    told = provenance.by_package(modules)
    assert set(told) == {"riskflow", "riskflow.graph"}
    changed = provenance.by_package({**modules, "riskflow.graph": "another"})
    assert changed["riskflow"] == told["riskflow"] and changed["riskflow.graph"] != told["riskflow.graph"]


def test_a_job_reads_what_the_plan_has_learnt(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = tree / "memory.json"
    first = provenance.fingerprint(tree / "program.py", memory)
    forget()
    monkeypatch.setenv(CODE_FACTS_VARIABLE, str(memory))
    monkeypatch.chdir(tree)
    monkeypatch.setattr("riskflow.code_facts.code_facts", None)  # nothing is read again
    assert provenance.fingerprint(Path("program.py")) == first
