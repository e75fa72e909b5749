"""Run by dlt's own environment: its stock rest_api source follows the feed into a DuckDB file.

Nothing here but configuration. `python dlt_pipeline.py URL TOKEN FOLDER COACH`
"""

import sys

import dlt
from dlt.sources.rest_api import rest_api_resources

KEYS = {
    "sessions": "session_id",
    "utterances": "utterance_id",
    "insights": "insight_id",
    "clients": "client_id",
}


def resource(dataset: str, coach: str) -> dict[str, object]:
    return {
        "name": dataset,
        "primary_key": KEYS[dataset],
        "write_disposition": "merge",
        "columns": {
            "_deleted": {"data_type": "bool", "hard_delete": True},
            "_version": {"data_type": "bigint", "dedup_sort": "desc"},
        },
        "endpoint": {
            "path": "changes",
            "params": {"dataset": dataset, "limit": 40, "cursor_in_rows": "true", "coach": coach},
            "data_selector": "changes",
            "paginator": {"type": "header_link"},
            "incremental": {"cursor_path": "_cursor", "start_param": "cursor"},
        },
    }


def main(url: str, token: str, folder: str, coach: str) -> None:
    resources = rest_api_resources(
        {
            "client": {"base_url": f"{url}/v1/", "auth": {"type": "bearer", "token": token}},
            "resources": [resource(dataset, coach) for dataset in KEYS],
        }
    )
    pipeline = dlt.pipeline(
        "coachops",
        pipelines_dir=f"{folder}/state",
        destination=dlt.destinations.duckdb(f"{folder}/replica.duckdb"),
        dataset_name="copy",
    )
    pipeline.run(resources).raise_on_failed_jobs()


if __name__ == "__main__":
    main(*sys.argv[1:])
