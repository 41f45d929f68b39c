import { join } from 'node:path';
import { fromCache } from '../../src/runtime/parts/cache';
import { pipInstall } from '../../src/runtime/parts/registries';
import { run, which } from '../../src/runtime/parts/tools';
import { PARTS_TIMEOUT_MS } from './stack';

/** What a partner's consumer makes of a record; `schema` is null where it is no Avro. */
export interface ForeignRecord {
  readonly topic: string;
  readonly key: string;
  /** Full name of the record's schema. */
  readonly schema: string | null;
  readonly data: Readonly<Record<string, unknown>>;
  /** The whole value, base64. */
  readonly bytes: string;
}

export interface ForeignWrite {
  readonly topic: string;
  readonly key: string;
  readonly data: object;
  /** By this one instead of the topic's latest; it is registered first. */
  readonly schema?: object;
  /** Full name of the record that it is, where the schema is a union. */
  readonly branch?: string;
}

/** A partner's service: Python, with Avro, Kafka and registry clients that have nothing of ours in them. */
export interface Foreign {
  /** Every record that the topics hold now; topics by their names in the cluster. */
  consume(topics: readonly string[]): Promise<ForeignRecord[]>;
  produce(records: readonly ForeignWrite[]): Promise<void>;
}

const PACKAGES = ['fastavro==1.13.1', 'kafka-python==3.0.12'];

export async function foreignAvro(brokers: string, registry: string): Promise<Foreign> {
  const context = { env: process.env, signal: AbortSignal.timeout(PARTS_TIMEOUT_MS), say: () => undefined };
  const python = which('python3', process.env) ?? 'python3';
  const version = (await run(python, ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'])).trim();
  const recipe = {
    name: 'foreign-avro', version: `${PACKAGES.join('-').replaceAll('==', '-')}-python-${version}`,
    build: async (folder: string) => {
      for (const one of PACKAGES) await pipInstall(one, folder, context);
    },
  };
  const packages = await fromCache(recipe, context);
  const act = async (what: string, more: readonly string[], input?: string): Promise<string[]> => {
    const said: string[] = [];
    await run(python, [join(__dirname, 'foreign', 'avro.py'), what, brokers, registry, ...more], {
      // What Python compiles on the way must not change what was fetched.
      env: { ...process.env, PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: '1' }, timeoutMs: 60_000, onLine: (line) => void said.push(line), ...(input !== undefined && { input }),
    });
    return said;
  };
  return {
    async consume(topics) {
      return (await act('consume', topics)).filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as ForeignRecord);
    },
    async produce(records) {
      await act('produce', [], records.map((record) => `${JSON.stringify(record)}\n`).join(''));
    },
  };
}
