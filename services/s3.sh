#!/usr/bin/env bash
# Run an S3-compatible server over a folder, in the foreground; stop it with SIGTERM. usage: s3.sh DIR PORT
# Keys: ROOT_ACCESS_KEY and ROOT_SECRET_KEY of the environment. Endpoint: http://127.0.0.1:PORT (path-style addresses).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:?DIR} port=${2:?PORT}
: "${ROOT_ACCESS_KEY:?}" "${ROOT_SECRET_KEY:?}"
mkdir -p "$dir"
exec "${RISKFLOW_SERVICES:-$here/../.services}/bin/versitygw" --port "127.0.0.1:$port" posix "$dir"
