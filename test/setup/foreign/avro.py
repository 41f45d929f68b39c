"""A partner's service, which shares no code with fazenda: fastavro for Avro, kafka-python for Kafka, and the
registry over plain HTTP. One JSON document a line, in and out.

    avro.py consume BROKERS REGISTRY TOPIC...   every record there is, as {topic, key, schema, data, bytes}
    avro.py produce BROKERS REGISTRY            writes {topic, key, data} of stdin, by the latest schema of the
                                                topic, or by the `schema` that the line brings
"""
import base64
import io
import json
import struct
import sys
import urllib.request

import fastavro
from kafka import KafkaConsumer, KafkaProducer, TopicPartition


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/vnd.schemaregistry.v1+json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def consume(brokers, registry, topics):
    consumer = KafkaConsumer(bootstrap_servers=brokers.split(","), enable_auto_commit=False, auto_offset_reset="earliest")
    places = [TopicPartition(topic, partition) for topic in topics for partition in consumer.partitions_for_topic(topic)]
    consumer.assign(places)
    ends = consumer.end_offsets(places)
    consumer.seek_to_beginning(*places)
    schemas = {}
    while any(consumer.position(place) < ends[place] for place in places):
        for records in consumer.poll(timeout_ms=200).values():
            for record in records:
                magic, schema_id = struct.unpack(">bI", record.value[:5])
                if magic != 0:
                    print(json.dumps({"topic": record.topic, "key": record.key.decode(), "schema": None}))
                    continue
                if schema_id not in schemas:
                    schemas[schema_id] = fastavro.parse_schema(json.loads(ask(f"{registry}/schemas/ids/{schema_id}")["schema"]))
                body = io.BytesIO(record.value[5:])
                data, name = read(body, schemas[schema_id])
                assert body.read() == b"", "bytes are left over"
                print(json.dumps({
                    "topic": record.topic, "key": record.key.decode(), "schema": name, "data": data,
                    "bytes": base64.b64encode(record.value).decode(),
                }))
    consumer.close()


def read(body, schema):
    """What a record says, and the name of its schema; in a union the name comes with it."""
    data = fastavro.schemaless_reader(body, schema, return_record_name=isinstance(schema, list))
    if isinstance(schema, list):
        return data[1], data[0]
    return data, schema["name"]


def produce(brokers, registry, lines):
    producer = KafkaProducer(bootstrap_servers=brokers.split(","), acks="all")
    for line in lines:
        record = json.loads(line)
        subject = f"{registry}/subjects/{record['topic']}-value/versions"
        if "schema" in record:
            schema_id, text = ask(subject, {"schema": json.dumps(record["schema"])})["id"], json.dumps(record["schema"])
        else:
            latest = ask(f"{subject}/latest")
            schema_id, text = latest["id"], latest["schema"]
        body = io.BytesIO()
        data = (record["branch"], record["data"]) if "branch" in record else record["data"]
        fastavro.schemaless_writer(body, fastavro.parse_schema(json.loads(text)), data)
        value = struct.pack(">bI", 0, schema_id) + body.getvalue()
        producer.send(record["topic"], key=record["key"].encode(), value=value).get(timeout=30)
    producer.close()


if __name__ == "__main__":
    _, what, brokers, registry, *rest = sys.argv
    if what == "consume":
        consume(brokers, registry, rest)
    else:
        produce(brokers, registry, sys.stdin)
