"""Ingest needs no more memory for a file ten times as large."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from riskflow.notes.demo import demo_records

MEGABYTE = 1 << 20
PROGRAM = """
import resource, sys
from pathlib import Path
from riskflow.notes.ingest.sources import read_files
from riskflow.notes.ingest.stage import ingest
work = Path(sys.argv[2])
folders = {name: work / name for name in ("patients", "encounters", "observations")}
shards = int(sys.argv[3])
tally, _ = ingest(read_files([Path(sys.argv[1])], "json"), folders, work / "spill", shards)
print(sum(tally.kept.values()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def write_array(path: Path, records: list[bytes], size: int) -> None:
    """Write records as one array of at least so many bytes; each round over them has ids of its own."""
    with path.open("wb") as out:
        turn = 0
        while out.tell() < size:
            for number, record in enumerate(records):
                out.write(b",\n" if turn or number else b"[\n")
                out.write(record.replace(b'_id":"', b'_id":"%d-' % turn))
            turn += 1
        out.write(b"\n]\n")


def peak(path: Path, work: Path, shards: int) -> int:
    # by way of a shell: a process inherits the peak memory of the one that starts it
    command = ["/bin/sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", PROGRAM]
    told = subprocess.run([*command, path, work, str(shards)], capture_output=True, text=True, check=True)
    kept, peak_bytes = map(int, told.stdout.split())
    assert kept > path.stat().st_size / 2000
    return peak_bytes


@pytest.mark.slow
def test_peak_memory_does_not_grow_with_the_file(tmp_path):
    records = [orjson.dumps(item.record) for item in demo_records(500, seed=3)]
    peaks = {}
    for megabytes in (50, 500):
        path = tmp_path / f"{megabytes}.json"
        write_array(path, records, megabytes * MEGABYTE)
        # shards hold as much each, whatever the file holds
        peaks[megabytes] = peak(path, tmp_path / str(megabytes), megabytes // 25)
        path.unlink()
    assert peaks[500] < 1.25 * peaks[50] + 50 * MEGABYTE
