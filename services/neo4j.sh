#!/usr/bin/env bash
# Run Neo4j 5.26 in the foreground from the jars that install.sh neo4j fetched; stop it with SIGTERM.
# usage: neo4j.sh HOME PORT    (HOME: an absolute folder of its own; Bolt on 127.0.0.1:PORT)
# The first login is neo4j/neo4j on the database `system`:
#   ALTER CURRENT USER SET PASSWORD FROM 'neo4j' TO '…'
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
lib=${RISKFLOW_SERVICES:-$here/../.services}/neo4j/lib
home=${1:?HOME} port=${2:?PORT}
mkdir -p "$home"
sed "s/^server.bolt.listen_address=.*/server.bolt.listen_address=127.0.0.1:$port/" "$here/neo4j/neo4j.conf" >"$home/neo4j.conf"
opens=()
for package in java.nio java.io sun.nio.ch java.lang; do opens+=("--add-opens=java.base/$package=ALL-UNNAMED"); done
exec java "${opens[@]}" -Dlog4j2.disable.jmx=true -XX:+UseG1GC "-Xmx${NEO4J_HEAP:-1g}" -cp "$lib/*" \
  "$here/neo4j/Neo4jServer.java" "$home" "$home/neo4j.conf"
