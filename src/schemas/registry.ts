import { z } from 'zod';
import { FazendaError, textOf } from '../errors';
import type { Secret } from '../secret';

/**
 * What we need of a schema registry, in the REST dialect of Confluent's, which Apicurio and others speak too.
 * https://docs.confluent.io/platform/current/schema-registry/develop/api.html
 */
export interface SchemaRegistry {
  /** Undefined where the registry says that it knows no such id, or that it is no Avro schema. */
  schemaById(id: number): Promise<string | undefined>;
  /** The last version of a subject; undefined where it has none. */
  latest(subject: string): Promise<{ readonly id: number; readonly schema: string } | undefined>;
  /** From now on every version of the subject has to read what the one before it wrote. */
  demandBackward(subject: string): Promise<void>;
  /** The id of the schema; the same one when it is registered already. @throws FazendaError FZ_SCHEMA_BREAKS */
  register(subject: string, schema: string): Promise<number>;
}

/** A registry that says nothing for this long is away, ms. */
const TIMEOUT_MS = 5_000;
const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json';
/** Error codes by which a registry says "I do not know that one", as against a wrong address. */
const UNKNOWN_SUBJECT = 40401;
const UNKNOWN_VERSION = 40402;
const UNKNOWN_SCHEMA = 40403;

const known = z.object({ schema: z.string(), schemaType: z.string().optional() });
const versioned = known.extend({ id: z.int() });
const registered = z.object({ id: z.int() });
const refusal = z.object({ error_code: z.int(), message: z.string().optional() });

/** @param url with user and password in it where the registry asks for them
 * Every call throws FazendaError FZ_SCHEMA_REGISTRY_AWAY where the registry does not answer as one. */
export function openRegistry(url: Secret): SchemaRegistry {
  const { base, headers } = addressOf(url.reveal());

  async function call<Answer>(shape: z.ZodType<Answer>, method: string, path: string, body?: object): Promise<Answer | Refused> {
    let answer: Response;
    let text: string;
    try {
      answer = await fetch(`${base}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }), signal: AbortSignal.timeout(TIMEOUT_MS) });
      text = await answer.text();
    } catch (cause) {
      throw away(`${method} ${path}: ${textOf(cause)}`, cause);
    }
    const parsed = shape.safeParse(parse(text));
    if (answer.ok && parsed.success) return parsed.data;
    const refused = refusal.safeParse(parse(text));
    if (answer.status >= 400 && answer.status < 500 && refused.success) return new Refused(refused.data.error_code, refused.data.message ?? '');
    throw away(`${method} ${path} was answered with ${answer.status}`);
  }

  return {
    async schemaById(id) {
      const found = await call(known, 'GET', `/schemas/ids/${id}`);
      if (found instanceof Refused) return found.unless(UNKNOWN_SCHEMA);
      return (found.schemaType ?? 'AVRO') === 'AVRO' ? found.schema : undefined;
    },
    async latest(subject) {
      const found = await call(versioned, 'GET', `/subjects/${encodeURIComponent(subject)}/versions/latest`);
      return found instanceof Refused ? found.unless(UNKNOWN_SUBJECT, UNKNOWN_VERSION) : found;
    },
    async demandBackward(subject) {
      const set = await call(z.unknown(), 'PUT', `/config/${encodeURIComponent(subject)}`, { compatibility: 'BACKWARD' });
      if (set instanceof Refused) throw away(set.text);
    },
    async register(subject, schema) {
      const made = await call(registered, 'POST', `/subjects/${encodeURIComponent(subject)}/versions`, { schema });
      if (!(made instanceof Refused)) return made.id;
      throw new FazendaError('FZ_SCHEMA_BREAKS', `the schema registry refuses ${subject}: ${made.text}`);
    },
  };
}

/** What the registry said no with. */
class Refused {
  constructor(private readonly code: number, private readonly message: string) {}

  get text(): string {
    return `${this.code} ${this.message}`;
  }

  /** Undefined where the refusal means that there is no such thing; any other is not about our question. */
  unless(...codes: readonly number[]): undefined {
    if (!codes.includes(this.code)) throw away(this.text);
    return undefined;
  }
}

function away(why: string, cause?: unknown): FazendaError {
  return new FazendaError('FZ_SCHEMA_REGISTRY_AWAY', why, { retryAfterS: 5 }, cause);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // Whoever answered is no registry; the caller says so.
  }
}

/** fetch takes no credentials in a URL; they go where they would have gone. */
function addressOf(given: string): { base: string; headers: Record<string, string> } {
  const url = new URL(given);
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = '';
  url.password = '';
  const headers = { accept: `${MEDIA_TYPE}, application/json`, 'content-type': MEDIA_TYPE };
  if (credentials === ':') return { base: url.href.replace(/\/$/, ''), headers };
  return { base: url.href.replace(/\/$/, ''), headers: { ...headers, authorization: `Basic ${Buffer.from(credentials).toString('base64')}` } };
}
