import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A schema registry of a test's own, that can be away, forget all, and be given any schema under any id. */
export interface FakeRegistry {
  readonly url: string;
  /** Schemas by id. */
  readonly schemas: Map<number, string>;
  /** Subjects that BACKWARD was asked for. */
  readonly backward: Set<string>;
  /** Questions that it was asked, as `METHOD path`. */
  readonly asked: string[];
  /** While true it answers 500 to everything. */
  away: boolean;
  /** Forgets all; the next schema gets the id after `lastId`. */
  empty(lastId?: number): void;
  /** As a partner does: under the next free id, or the one named. */
  add(subject: string, schema: object, id?: number): number;
  close(): Promise<void>;
}

export async function startFakeRegistry(): Promise<FakeRegistry> {
  const schemas = new Map<number, string>();
  const subjects = new Map<string, number[]>();
  let last = 0;

  function add(subject: string, text: string, wanted?: number): number {
    const known = [...schemas].find(([, one]) => one === text)?.[0];
    const id = wanted ?? known ?? (last += 1);
    schemas.set(id, text);
    if (!subjects.get(subject)?.includes(id)) subjects.set(subject, [...(subjects.get(subject) ?? []), id]);
    return id;
  }

  const server = createServer((request, response) => {
    void read(request).then((body) => {
      const path = decodeURIComponent(request.url ?? '');
      registry.asked.push(`${request.method} ${path}`);
      const say = (status: number, document: object): void => void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document));
      if (registry.away) return say(500, { error_code: 50001, message: 'the store is away' });
      const [, kind = '', name = ''] = /^\/(config|schemas\/ids|subjects)\/([^/]+)/.exec(path) ?? [];
      const ids = subjects.get(name) ?? [];
      const latest = ids.at(-1);
      if (kind === 'config') {
        registry.backward.add(name);
        return say(200, { compatibility: 'BACKWARD' });
      }
      if (kind === 'schemas/ids') {
        const schema = schemas.get(Number(name));
        return schema === undefined ? say(404, { error_code: 40403, message: 'no schema' }) : say(200, { schema });
      }
      if (request.method === 'POST') return say(200, { id: add(name, String((JSON.parse(body) as { schema: string }).schema)) });
      return latest === undefined ? say(404, { error_code: 40401, message: 'no subject' }) : say(200, { id: latest, version: ids.length, subject: name, schema: schemas.get(latest) });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const registry: FakeRegistry = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    schemas, backward: new Set(), asked: [], away: false,
    empty(lastId = 0) {
      schemas.clear();
      subjects.clear();
      last = lastId;
    },
    add: (subject, schema, id) => add(subject, JSON.stringify(schema), id),
    close: () => new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    }),
  };
  return registry;
}

async function read(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}
