#!/usr/bin/env bash
# A batch system of other machines, as small as can be: what it runs sees nothing of the folder it was submitted from.
# usage: other_machine.sh submit JOBSCRIPT    runs it in an empty folder of its own; prints the folder, the job's id
#        other_machine.sh status FOLDER       prints running, success or failed
# OTHER_MACHINES: where those folders are. Of the environment a job gets its PATH and where its credentials are.
set -euo pipefail

submit() {
  local folder
  folder=$(mktemp -d "$OTHER_MACHINES/XXXXXX")
  mkdir "$folder/work"
  cp "$1" "$folder/job.sh"
  (
    cd "$folder/work"
    setsid env -i PATH="$PATH" HOME="$folder" AWS_SHARED_CREDENTIALS_FILE="$AWS_SHARED_CREDENTIALS_FILE" \
      PYTHONPATH=src bash -c 'status=0; bash ../job.sh >../output 2>&1 || status=$?; echo "$status" >../ended'
  ) </dev/null >/dev/null 2>&1 &
  echo "$folder"
}

status() {
  if [[ ! -s $1/ended ]]; then echo running; elif [[ $(<"$1/ended") == 0 ]]; then echo success; else echo failed; fi
}

"$@"
