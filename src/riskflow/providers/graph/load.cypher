// constrain_node
CREATE CONSTRAINT riskflow_node IF NOT EXISTS FOR (n:RiskflowNode) REQUIRE n.node_id IS UNIQUE

// constrain_provider
CREATE CONSTRAINT riskflow_provider IF NOT EXISTS FOR (n:Provider) REQUIRE n.npi IS UNIQUE

// constrain_organization
CREATE CONSTRAINT riskflow_organization IF NOT EXISTS FOR (n:Organization) REQUIRE n.entity_id IS UNIQUE

// constrain_person
CREATE CONSTRAINT riskflow_person IF NOT EXISTS FOR (n:Person) REQUIRE n.person_id IS UNIQUE

// constrain_exclusion
CREATE CONSTRAINT riskflow_exclusion IF NOT EXISTS FOR (n:Exclusion) REQUIRE n.exclusion_id IS UNIQUE

// constrain_manifest
CREATE CONSTRAINT riskflow_manifest IF NOT EXISTS FOR (n:RiskflowManifest) REQUIRE n.id IS UNIQUE

// manifest
MATCH (m:RiskflowManifest {id: 'graph'})
RETURN m.content_hash AS content_hash, m.loads AS loads

// claim
MERGE (m:RiskflowManifest {id: 'graph'})
SET m.content_hash = '', m.loader = $loader, m.loads = coalesce(m.loads, 0) + 1

// check_claim
MATCH (m:RiskflowManifest {id: 'graph', loader: $loader})
RETURN count(m) AS held

// finish
MATCH (m:RiskflowManifest {id: 'graph', loader: $loader})
SET m.content_hash = $content_hash
RETURN m.loads AS loads

// nodes
MATCH (n:RiskflowNode)
RETURN n.node_id AS node_id, n.kind AS kind, n.label AS label, n.npi AS npi, n.excluded AS excluded,
       n.exclusion_id AS exclusion_id, n.is_hub AS is_hub

// edges
MATCH (a:RiskflowNode)-[r:OWNS]->(b:RiskflowNode)
RETURN a.node_id AS owner_id, b.node_id AS owned_id, r.share_bps AS share_bps, r.role AS role,
       toString(r.since) AS since

// count
OPTIONAL MATCH (n:RiskflowNode)
WITH count(n) AS nodes
OPTIONAL MATCH (:RiskflowNode)-[r:OWNS]->(:RiskflowNode)
RETURN nodes, count(r) AS edges

// delete_edges
UNWIND $rows AS row
MATCH (a:RiskflowNode {node_id: row.owner_id})
MATCH (b:RiskflowNode {node_id: row.owned_id})
WITH a, b
MATCH (a)-[r:OWNS]->(b)
DELETE r

// delete_nodes
UNWIND $rows AS row
MATCH (n:RiskflowNode {node_id: row.node_id})
DETACH DELETE n

// delete_exclusions
MATCH (x:Exclusion)
WHERE NOT (x)<-[:EXCLUDED_BY]-()
DELETE x

// merge_provider
UNWIND $rows AS row
MERGE (n:RiskflowNode {node_id: row.node_id})
SET n:Provider, n = row

// merge_organization
UNWIND $rows AS row
MERGE (n:RiskflowNode {node_id: row.node_id})
SET n:Organization, n = row, n.entity_id = row.node_id

// merge_person
UNWIND $rows AS row
MERGE (n:RiskflowNode {node_id: row.node_id})
SET n:Person, n = row, n.person_id = row.node_id

// unlink_exclusions
UNWIND $rows AS row
MATCH (n:RiskflowNode {node_id: row.node_id})
WITH n
MATCH (n)-[r:EXCLUDED_BY]->()
DELETE r

// merge_exclusions
UNWIND $rows AS row
MATCH (n:RiskflowNode {node_id: row.node_id})
MERGE (x:Exclusion {exclusion_id: row.exclusion_id})
MERGE (n)-[:EXCLUDED_BY]->(x)

// merge_edges
UNWIND $rows AS row
MATCH (a:RiskflowNode {node_id: row.owner_id})
MATCH (b:RiskflowNode {node_id: row.owned_id})
MERGE (a)-[r:OWNS]->(b)
SET r.share_bps = row.share_bps, r.pct = row.share_bps / 100.0, r.role = row.role, r.since = row.since
