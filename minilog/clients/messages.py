#!/usr/bin/env python3
"""Prints the fields of Kafka's messages, from the JSON files in a kafka-clients jar.

    python3 messages.py $KAFKA_HOME/libs/kafka-clients-4.3.0.jar > ../tests/wire/kafka_4_3_0.txt

tests/wire compares the output with the tables of src/wire. Each line describes a field: name, type,
versions, and optionally the first version in which it may be null, its tag and its default.
"""

import json
import re
import sys
import zipfile

# The requests that the broker serves, by key.
APIS = """Produce Fetch ListOffsets Metadata OffsetCommit OffsetFetch FindCoordinator JoinGroup
Heartbeat LeaveGroup SyncGroup DescribeGroups ListGroups ApiVersions CreateTopics DeleteTopics
DeleteRecords InitProducerId OffsetForLeaderEpoch DescribeConfigs DescribeLogDirs CreatePartitions DeleteGroups
IncrementalAlterConfigs OffsetDelete DescribeCluster""".split()

# Version 6 of InitProducerId is not stable.
NEWEST = {"InitProducerId": 5}
# Implicit defaults.
EMPTY = {"null", "false", "0", ""}


def versions(text):
    first, last = re.fullmatch(r"(\d+)(?:\+|-(\d+))?", text).groups()
    return int(first), None if text.endswith("+") else int(last or first)


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def print_fields(fields, structs, newest, indent):
    for field in fields:
        first, last = versions(field["versions"])
        if first > newest:
            continue
        words = [snake(field["name"]), field["type"], f"{first}+" if last is None else f"{first}-{last}"]
        if "nullableVersions" in field:
            words.append(f"null {max(first, versions(field['nullableVersions'])[0])}+")
        if "tag" in field:
            words.append(f"tag {field['tag']}")
        default = str(field.get("default", "")).lower()
        if default not in EMPTY:
            words.append(f"default {int(default, 0) if default != 'true' else default}")
        print("  " * indent + " ".join(words))
        name = field["type"].removeprefix("[]")
        print_fields(field.get("fields") or structs.get(name, []), structs, newest, indent + 1)


def main(jar):
    with zipfile.ZipFile(jar) as files:
        for api in APIS:
            for kind in ["Request", "Response"]:
                text = files.read(f"common/message/{api}{kind}.json").decode()
                message = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
                first, last = versions(message["validVersions"])
                newest = NEWEST.get(api, first if last is None else last)
                flexible = message["flexibleVersions"]
                # No version is flexible: print the number after the newest one.
                flexible = f"{newest + 1}+" if flexible == "none" else flexible
                print(f"{message['name']} key {message['apiKey']} {first}-{newest} flexible {flexible}")
                structs = {it["name"]: it["fields"] for it in message.get("commonStructs", [])}
                print_fields(message["fields"], structs, newest, 1)


main(sys.argv[1])
