"""What failed is asked for again.

Snakemake notes the params of a failed job as if it had been done. Where what comes after it is still there, of a run
before the config was changed, the next run would say that there is nothing to be done.
"""


def unfinished(*tracks):
    """An input function: the receipts of the tracks' jobs that left a log and no receipt: they failed, or were killed.

    A function, so that only who asks for whole tracks looks through their logs.
    """

    def receipts(wildcards):
        return [
            str(receipt)
            for track in tracks
            if track in CONFIG.tracks
            for receipt in sorted(missing_receipts(track))
            if any(rule.is_producer(str(receipt)) for rule in needed_rules(track))
        ]

    return receipts if workflow.is_main_process else []


@cache
def missing_receipts(track):
    """Where the receipts would be of jobs that left a log only; of shards, those that there still are."""
    folder = Path(RESULTS, track)
    logs = [path.relative_to(folder / "logs") for path in folder.glob("logs/**/*.log")]
    receipts = [folder / "receipts" / log.with_suffix(".json") for log in logs]
    return [
        path
        for path in receipts
        if not path.exists()
        and (not re.fullmatch(r"\d{4}", path.stem) or path.stem in shards(track))
    ]


@cache
def needed_rules(track):
    """The rules that the final files of a track come from, as the config has them."""
    found, seen, files = set(), set(), list(FINAL[track])
    while files:
        # one shard speaks for all of them
        path = re.sub(r"(?<=[/])\d{4}(?=\.\w+$)", shards(track)[0], files.pop())
        if path in seen:
            continue
        seen.add(path)
        makers = {rule for rule in workflow.rules if rule.is_producer(path)} - found
        found |= makers
        files += [str(made) for maker in makers for made in maker.input]
    return found
