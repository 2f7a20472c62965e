"""The Neo4j graph backend: the ownership graph on a server, loaded by difference, asked in batches over Bolt.

Only standard Cypher (no APOC), so that other Bolt servers can stand in. A manifest node carries the content
hash of the loaded graph and how often one was loaded; it is empty while a load is under way, so that nobody
takes half a graph for a whole one.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import neo4j
import polars as pl
from neo4j.exceptions import DriverError, Neo4jError, ServiceUnavailable, SessionExpired

from riskflow import resources
from riskflow.config.providers import Neo4jSection
from riskflow.contracts.providers_sources import EDGES, NODES
from riskflow.credentials import password
from riskflow.errors import RiskflowError
from riskflow.providers.graph.interface import Graph, Reach, assert_hash, feature_rows

log = logging.getLogger("riskflow")

MAX_HOPS = 6
ROWS_PER_WRITE = 10_000
PASSWORD_VARIABLE = "RISKFLOW_NEO4J_PASSWORD"
_FOUND: dict[str, pl.DataType | type[pl.DataType]] = {
    "npi": pl.Int64,
    "excluded": pl.Boolean,
    "nearest_exclusion_hops": pl.Int64,
    "farthest": pl.Int64,
    "risk": pl.Int64,
    "nearest_exclusion_path": pl.List(pl.String),
    "chain_providers": pl.Int64,
    "chain_excluded_providers": pl.Int64,
}


def statements(text: str) -> dict[str, str]:
    """Return name → statement of a Cypher file whose statements each follow a line `// name`."""
    parts = re.split(r"^// (\w+)\n", text, flags=re.MULTILINE)[1:]
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


class Neo4jGraph:
    """A GraphBackend on a Neo4j server. Use it as a context manager, or close it."""

    def __init__(self, section: Neo4jSection) -> None:
        """Connect; a RiskflowError says what is wrong with address, password or database."""
        self._section = section
        self._load = statements(resources.text(__package__, "load.cypher"))
        self._features = resources.text(__package__, "features.cypher")
        secret = password(section.password_file, PASSWORD_VARIABLE, "providers.neo4j.password_file")
        with self._explained("connecting"):
            self._driver = neo4j.GraphDatabase.driver(
                section.uri,
                auth=(section.user, secret),
                max_connection_pool_size=2,
                connection_timeout=10,
                max_transaction_retry_time=section.retry_seconds,
                notifications_min_severity="OFF",
            )
        try:
            with self._explained("connecting"):
                self._driver.verify_connectivity()
                self._driver.execute_query("RETURN 1", database_=section.database)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Neo4jGraph:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._driver.close()

    def content_hash(self) -> str:
        """Return the hash of the graph that is loaded; a RiskflowError when none is, or not wholly."""
        return self._manifest()[0]

    def features(self, npis: pl.Series, reach: Reach) -> pl.DataFrame:
        """Return one row per different NPI (contract FEATURES), one round trip per batch of NPIs.

        A graph that is loaded by someone else in the meantime is an error, never a mixture of two graphs.
        """
        if reach.hops > MAX_HOPS:
            raise RiskflowError(f"graph.hops is {reach.hops}; the Neo4j backend looks up to {MAX_HOPS} hops")
        held = self._manifest()
        asked = pl.DataFrame({"npi": npis.cast(pl.Int64)}).unique().sort("npi")
        decay = [*reach.decay_millionths, *[0] * (MAX_HOPS - reach.hops)]
        found: list[list[Any]] = []
        batches = list(asked.iter_slices(self._section.batch))
        for number, batch in enumerate(batches, 1):
            asking = {"npis": batch["npi"].to_list(), "hops": reach.hops, "decay": decay}
            (answer,) = self._read(self._features, f"asking batch {number} of {len(batches)}", asking)
            self._assert_unchanged(held, (answer["content_hash"], answer["loads"]))
            found.extend(answer["features"])
            log.info("graph features: batch %d of %d, %s NPIs", number, len(batches), f"{batch.height:,}")
        self._assert_unchanged(held, self._manifest())
        return feature_rows(asked.join(_found_rows(found), on="npi", how="left"), held[0])

    def load(self, graph: Graph) -> None:
        """Make the server hold this graph and nothing else; loading it again writes nothing."""
        self.load_difference(graph)

    def load_difference(self, graph: Graph) -> dict[str, int]:
        """Load what differs and return how many nodes and edges were written and removed.

        Every statement can be repeated (MERGE, DELETE), so a batch is retried after a lost connection and a
        load that was broken off is taken up by the next one.
        """
        if self._holds(graph):
            return {"nodes_written": 0, "nodes_removed": 0, "edges_written": 0, "edges_removed": 0}
        for name in (name for name in self._load if name.startswith("constrain_")):
            self._write_rows(name, None)
        loader = uuid.uuid4().hex
        self._write("claim", {"loader": loader})
        counts = self._write_difference(graph, loader)
        self._finish(graph, loader)
        return counts

    def _holds(self, graph: Graph) -> bool:
        (manifest,) = self._read(self._load["manifest"], "reading the manifest") or [{"content_hash": ""}]
        return manifest["content_hash"] == graph.content_hash and self._size() == _size_of(graph)

    def _write_difference(self, graph: Graph, loader: str) -> dict[str, int]:
        held_nodes, held_edges = self._held("nodes"), self._held("edges")
        nodes, edges = graph.nodes.select(held_nodes.columns), graph.edges.select(held_edges.columns)
        changed = nodes.join(held_nodes, on=nodes.columns, how="anti", nulls_equal=True)
        gone = held_nodes.join(nodes, on=["node_id", "kind"], how="anti")  # another kind is another node
        kept = held_edges.join(gone, left_on="owner_id", right_on="node_id", how="anti")
        kept = kept.join(gone, left_on="owned_id", right_on="node_id", how="anti")
        new_edges = edges.join(kept, on=edges.columns, how="anti", nulls_equal=True)
        gone_edges = kept.join(edges, on=["owner_id", "owned_id"], how="anti")
        self._write_rows("delete_edges", gone_edges.select("owner_id", "owned_id"), loader)
        self._write_rows("delete_nodes", gone.select("node_id"), loader)
        for kind in ("provider", "organization", "person"):
            self._write_rows(f"merge_{kind}", changed.filter(pl.col("kind") == kind), loader)
        linked = held_nodes.drop_nulls("exclusion_id").join(changed, on="node_id", how="semi")
        self._write_rows("unlink_exclusions", linked.select("node_id"), loader)
        links = changed.select("node_id", "exclusion_id").drop_nulls("exclusion_id")
        self._write_rows("merge_exclusions", links, loader)
        self._write_rows("merge_edges", new_edges, loader)
        self._write("delete_exclusions", {}, loader)
        return {
            "nodes_written": changed.height,
            "nodes_removed": gone.height,
            "edges_written": new_edges.height,
            "edges_removed": held_edges.height - kept.height + gone_edges.height,
        }

    def _held(self, what: str) -> pl.DataFrame:
        """Return the nodes or edges that the server holds now, in the columns of their contract."""
        contract = NODES if what == "nodes" else EDGES
        rows = [tuple(row.values()) for row in self._read(self._load[what], f"reading the {what} it holds")]
        dates = [name for name, dtype in contract.schema.items() if dtype == pl.Date]
        schema = {name: pl.String if name in dates else dtype for name, dtype in contract.schema.items()}
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        return frame.with_columns(pl.col(name).str.to_date("%Y-%m-%d") for name in dates)

    def _finish(self, graph: Graph, loader: str) -> None:
        size = self._size()
        if size != _size_of(graph):
            raise RiskflowError(
                f"Neo4j holds {size[0]} nodes and {size[1]} edges after the load, "
                f"the graph has {graph.nodes.height} and {graph.edges.height}",
                "something else writes to this database: give riskflow one of its own (providers.neo4j.database)",
            )
        if not self._write("finish", {"loader": loader, "content_hash": graph.content_hash}):
            raise _claimed_by_another()

    def _size(self) -> tuple[int, int]:
        (size,) = self._read(self._load["count"], "counting")
        return size["nodes"], size["edges"]

    def _manifest(self) -> tuple[str, int]:
        (manifest,) = self._read(self._load["manifest"], "reading the manifest") or [{}]
        if not manifest.get("content_hash"):
            state = "is being loaded, or a load was broken off" if manifest else "holds no graph"
            raise RiskflowError(
                f"the Neo4j database {self._section.database} {state}", "run the graph's load stage (again)"
            )
        return manifest["content_hash"], manifest["loads"]

    def _assert_unchanged(self, held: tuple[str, int], now: tuple[str, int]) -> None:
        assert_hash(now[0], held[0])
        if now != held:
            raise RiskflowError("the graph was loaded again while it was asked", "run the stage again")

    def _write_rows(self, name: str, rows: pl.DataFrame | None, loader: str = "") -> None:
        """Run a statement for batches of rows, or once for no rows."""
        if rows is None:
            self._write(name, {})
            return
        for start in range(0, rows.height, ROWS_PER_WRITE):
            batch = rows.slice(start, ROWS_PER_WRITE)
            self._write(name, {"rows": batch.to_dicts()}, loader)
            log.info("graph load: %s %s of %s rows", name, f"{start + batch.height:,}", f"{rows.height:,}")

    def _write(self, name: str, values: Mapping[str, Any], loader: str = "") -> list[dict[str, Any]]:
        def work(transaction: neo4j.ManagedTransaction) -> list[dict[str, Any]]:
            if loader:
                (claim,) = transaction.run(self._load["check_claim"], loader=loader).data()
                if not claim["held"]:
                    raise _claimed_by_another()
            return list(transaction.run(self._load[name], values).data())

        return self._in_session(neo4j.WRITE_ACCESS, work, f"loading ({name})")

    def _read(
        self, statement: str, doing: str, values: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        def work(transaction: neo4j.ManagedTransaction) -> list[dict[str, Any]]:
            return list(transaction.run(statement, values or {}).data())

        return self._in_session(neo4j.READ_ACCESS, work, doing)

    def _in_session(
        self, access: str, work: Callable[[neo4j.ManagedTransaction], list[dict[str, Any]]], doing: str
    ) -> list[dict[str, Any]]:
        """Run a transaction; the driver repeats it after transient errors, with backoff, up to retry_seconds."""
        settings = {"database": self._section.database, "default_access_mode": access, "fetch_size": 10_000}
        with self._explained(doing), self._driver.session(**settings) as session:
            execute = session.execute_read if access == neo4j.READ_ACCESS else session.execute_write
            rows: list[dict[str, Any]] = execute(work)
            return rows

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        """Turn the driver's errors into sentences without their texts, which may hold values."""
        try:
            yield
        except (Neo4jError, DriverError) as error:
            raise _sentence(error, self._section, doing) from None


def _sentence(error: Neo4jError | DriverError, section: Neo4jSection, doing: str) -> RiskflowError:
    code = str(getattr(error, "code", None) or type(error).__name__)
    if isinstance(error, ServiceUnavailable | SessionExpired):
        hint = "start the server, check providers.neo4j.uri, or set providers.graph.backend: embedded"
        return RiskflowError(f"no Neo4j answers at {section.uri} ({doing})", hint)
    if code.startswith("Neo.ClientError.Security."):
        hint = f"check providers.neo4j.user and password_file (or {PASSWORD_VARIABLE}), and the user's rights"
        return RiskflowError(
            f"Neo4j at {section.uri} refuses user {section.user} ({code.rsplit('.', 1)[-1]})", hint
        )
    if code.endswith("DatabaseNotFound"):
        return RiskflowError(
            f"Neo4j at {section.uri} has no database {section.database}", "check providers.neo4j.database"
        )
    return RiskflowError(f"Neo4j failed {doing}: {code}", "the server's own log says more")


def _claimed_by_another() -> RiskflowError:
    return RiskflowError("another run began to load its graph into the same database", "run one at a time")


def _size_of(graph: Graph) -> tuple[int, int]:
    return graph.nodes.height, graph.edges.height


def _found_rows(found: list[list[Any]]) -> pl.DataFrame:
    """Return the server's answers as `feature_rows` wants them."""
    hops = pl.col("nearest_exclusion_hops")
    return pl.DataFrame(found, schema=_FOUND, orient="row").with_columns(
        owner_excluded=hops.fill_null(0) == 1,
        far_excluded=pl.col("farthest").fill_null(0) > 1,
        risk=pl.col("risk").clip(upper_bound=1_000_000),
        nearest_exclusion_path=pl.when(hops.is_not_null()).then("nearest_exclusion_path"),
    )
