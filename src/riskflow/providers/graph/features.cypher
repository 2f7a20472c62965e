// All features of a batch of NPIs in one round trip, as providers/graph/interface.py defines them.
// $npis, $hops (1..6), $decay (millionths per hop, six of them). Every up(h) holds, per owner v at the end of a walk of
// h hops from f, the largest share (millionths) and the smallest node ids from v back to f (joined by U+0001,
// which sorts before any other character). Every down(m) holds the nodes at the end of a walk down of m hops.
// Six hops are the most that config allows; levels beyond $hops stay empty.
MATCH (m:RiskflowManifest {id: 'graph'})
CALL {
  UNWIND $npis AS npi
  MATCH (f:Provider {npi: npi})
  CALL {
    WITH f
    MATCH (f)<-[e:OWNS]-(v:RiskflowNode)
    WHERE v <> f
    RETURN collect({v: v, share: 100 * e.share_bps, path: v.node_id}) AS up1
  }
  CALL {
    WITH f, up1
    UNWIND up1 AS u
    WITH f, u, u.v AS below
    WHERE $hops >= 2 AND NOT below.is_hub
    MATCH (below)<-[e:OWNS]-(v:RiskflowNode)
    WHERE v <> f
    WITH v, max(u.share * e.share_bps / 10000) AS share, min(v.node_id + '\u0001' + u.path) AS path
    RETURN collect({v: v, share: share, path: path}) AS up2
  }
  CALL {
    WITH f, up2
    UNWIND up2 AS u
    WITH f, u, u.v AS below
    WHERE $hops >= 3 AND NOT below.is_hub
    MATCH (below)<-[e:OWNS]-(v:RiskflowNode)
    WHERE v <> f
    WITH v, max(u.share * e.share_bps / 10000) AS share, min(v.node_id + '\u0001' + u.path) AS path
    RETURN collect({v: v, share: share, path: path}) AS up3
  }
  CALL {
    WITH f, up3
    UNWIND up3 AS u
    WITH f, u, u.v AS below
    WHERE $hops >= 4 AND NOT below.is_hub
    MATCH (below)<-[e:OWNS]-(v:RiskflowNode)
    WHERE v <> f
    WITH v, max(u.share * e.share_bps / 10000) AS share, min(v.node_id + '\u0001' + u.path) AS path
    RETURN collect({v: v, share: share, path: path}) AS up4
  }
  CALL {
    WITH f, up4
    UNWIND up4 AS u
    WITH f, u, u.v AS below
    WHERE $hops >= 5 AND NOT below.is_hub
    MATCH (below)<-[e:OWNS]-(v:RiskflowNode)
    WHERE v <> f
    WITH v, max(u.share * e.share_bps / 10000) AS share, min(v.node_id + '\u0001' + u.path) AS path
    RETURN collect({v: v, share: share, path: path}) AS up5
  }
  CALL {
    WITH f, up5
    UNWIND up5 AS u
    WITH f, u, u.v AS below
    WHERE $hops >= 6 AND NOT below.is_hub
    MATCH (below)<-[e:OWNS]-(v:RiskflowNode)
    WHERE v <> f
    WITH v, max(u.share * e.share_bps / 10000) AS share, min(v.node_id + '\u0001' + u.path) AS path
    RETURN collect({v: v, share: share, path: path}) AS up6
  }
  WITH f, [up1, up2, up3, up4, up5, up6] AS levels
  CALL {
    WITH levels
    UNWIND range(1, $hops) AS h
    UNWIND levels[h - 1] AS u
    WITH h, u, u.v AS v
    WHERE v.excluded
    WITH v, min(h) AS hops, max(u.share * $decay[h - 1] / 1000000) AS contribution
    RETURN sum(contribution) AS risk, min(hops) AS nearest, max(hops) AS farthest
  }
  CALL {
    WITH levels, nearest
    UNWIND levels[nearest - 1] AS u
    WITH u, u.v AS v
    WHERE v.excluded
    RETURN min(u.path) AS path
  }
  CALL {
    WITH path
    WITH split(coalesce(path, ''), '\u0001') AS ids
    UNWIND range(0, size(ids) - 1) AS i
    MATCH (n:RiskflowNode {node_id: ids[i]})
    WITH i, n.label AS label ORDER BY i DESC
    RETURN collect(label) AS labels
  }
  CALL {
    WITH levels
    UNWIND levels AS level
    UNWIND level AS u
    WITH DISTINCT u.v AS v
    RETURN collect(v) AS down0
  }
  CALL {
    WITH down0
    UNWIND down0 AS u
    WITH u
    WHERE $hops >= 1 AND NOT u.is_hub
    MATCH (u)-[:OWNS]->(v:RiskflowNode)
    RETURN collect(DISTINCT v) AS down1
  }
  CALL {
    WITH down1
    UNWIND down1 AS u
    WITH u
    WHERE $hops >= 2 AND NOT u.is_hub
    MATCH (u)-[:OWNS]->(v:RiskflowNode)
    RETURN collect(DISTINCT v) AS down2
  }
  CALL {
    WITH down2
    UNWIND down2 AS u
    WITH u
    WHERE $hops >= 3 AND NOT u.is_hub
    MATCH (u)-[:OWNS]->(v:RiskflowNode)
    RETURN collect(DISTINCT v) AS down3
  }
  CALL {
    WITH down3
    UNWIND down3 AS u
    WITH u
    WHERE $hops >= 4 AND NOT u.is_hub
    MATCH (u)-[:OWNS]->(v:RiskflowNode)
    RETURN collect(DISTINCT v) AS down4
  }
  CALL {
    WITH down4
    UNWIND down4 AS u
    WITH u
    WHERE $hops >= 5 AND NOT u.is_hub
    MATCH (u)-[:OWNS]->(v:RiskflowNode)
    RETURN collect(DISTINCT v) AS down5
  }
  CALL {
    WITH down5
    UNWIND down5 AS u
    WITH u
    WHERE $hops >= 6 AND NOT u.is_hub
    MATCH (u)-[:OWNS]->(v:RiskflowNode)
    RETURN collect(DISTINCT v) AS down6
  }
  CALL {
    WITH f, down1, down2, down3, down4, down5, down6
    UNWIND down1 + down2 + down3 + down4 + down5 + down6 AS g
    WITH DISTINCT f, g
    WHERE g:Provider AND g <> f
    RETURN count(g) AS chain, sum(CASE WHEN g.excluded THEN 1 ELSE 0 END) AS chain_excluded
  }
  RETURN collect([f.npi, f.excluded, nearest, farthest, risk, [f.label] + labels, chain, chain_excluded]) AS features
}
RETURN m.content_hash AS content_hash, m.loads AS loads, features
