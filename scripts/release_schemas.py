"""Keep the schemas of the datasets as released; part of making a release.

A schema whose version was released already is left alone; one that must not follow the newest
released one is refused. Afterwards `python -m tests.export.golden` keeps an export of them.
"""

from __future__ import annotations

import json
import sys


def main() -> int:
    """Write what is new; 1 where a version number is too small for what changed."""
    from coachops.export.compatibility import fault_of, folder_of, released_schemas, schemas_of
    from coachops.export.datasets import DATASETS

    bad = 0
    for dataset in DATASETS.values():
        for profile, schema in schemas_of(dataset):
            released = released_schemas(dataset.name, profile)
            fault = fault_of(next(reversed(released.values())), schema) if released else ""
            path = folder_of(profile) / f"{dataset.name}-{dataset.version}.json"
            if fault:
                print(f"{dataset.name} {dataset.version} ({profile}): {fault}")
                bad += 1
            elif not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
                path.write_text(text, "utf-8")
                print(f"{path.name} ({profile}) is released")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
