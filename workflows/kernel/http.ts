import type { ZodType } from 'zod';

/** What a domain offers over HTTP. */

export interface HttpSurface {
  readonly commands: readonly HttpCommand[];
  readonly resources: readonly HttpResource[];
  readonly queries: readonly HttpQuery[];
  readonly updates?: readonly HttpUpdate[];
  readonly live: LivePath;
}

/** Where a story is pushed from. */
export interface LivePath {
  /** `/ws/…/:id/status`; also the name of its Socket.IO room. */
  readonly path: string;
  /** The field that names the aggregate in its messages. */
  readonly idField: string;
  /** An id as a client may spell it → as it is stored; without this, the same. */
  spelling?(id: string): string;
}

/** What a command may ask of the stores before it accepts. */
export interface Ask {
  exists(table: string, where: Readonly<Record<string, unknown>>): Promise<boolean>;
  /** Those of the values that no row of the table has in this column; one statement, however many they are. */
  missing(table: string, column: string, values: readonly string[]): Promise<readonly string[]>;
}

export interface CommandContext {
  /** A fresh UUID; the same one when a request with the same Idempotency-Key is tried again. */
  readonly freshId: string;
  readonly correlationId: string;
  /** True where the caller gave the correlation id; one that was made for a request is its `freshId` too. */
  readonly correlationGiven: boolean;
  /** When the API took it, ISO 8601 UTC. */
  readonly at: string;
}

/** What a command puts on Kafka, and what the caller is told once Kafka has it. */
export interface Accepted {
  readonly aggregateId: string;
  readonly topic: string;
  readonly key: string;
  /** `ce_type`. */
  readonly type: string;
  readonly message: object;
  readonly answer: object;
}

/** A POST that becomes one Kafka record. */
export interface HttpCommand {
  readonly path: string;
  readonly status: 201 | 202;
  readonly summary: string;
  readonly body: ZodType;
  /**
   * `creates`: the record is an aggregate's fact 1: the same id with the same body is the same request,
   * with another body a conflict, and reads answer from the accepted row until the fact is there.
   * `concerns`: about an aggregate that may or may not exist.
   */
  readonly kind: 'creates' | 'concerns';
  /** Field of the body that says for whom it is; a submitter may name nobody but itself. Without one, it is not for submitters. */
  readonly ownerField?: string;
  /** References that must exist: the name of a field → what is wrong with it; empty when all is well. */
  check(body: never, ask: Ask): Promise<readonly { path: string; message: string }[]>;
  accept(body: never, context: CommandContext): Accepted;
}

/**
 * PATCH of one aggregate, by a Temporal Update: the story decides, and the answer is the truth, 200 and the
 * aggregate as the query shows it, or 409 where the story has decided or will decide otherwise.
 */
export interface HttpUpdate {
  /** Served at `<path>/:id`; the path of the query that shows the answer. */
  readonly path: string;
  readonly summary: string;
  readonly body: ZodType;
  /** What the story is asked. */
  mail(body: never): { type: string; data: object };
}

/** A plain table behind POST, GET list and GET one. */
export interface HttpResource {
  readonly path: string;
  readonly summary: string;
  readonly table: string;
  /** Column that says whose a row is, where not everybody may see every row. */
  readonly owner?: string;
  readonly body: ZodType;
  /** The row to insert. */
  row(body: never, freshId: string): Readonly<Record<string, unknown>>;
  /** The row as readers see it. */
  show(row: Readonly<Record<string, unknown>>): object;
  /** Message of the 409 when the table refuses a second row of the same identity. */
  readonly conflict: string;
}

/** GET of the view: one by id with ETag = version, and where `list` is set a list, newest first. */
export interface HttpQuery {
  readonly path: string;
  readonly summary: string;
  readonly list: boolean;
  /** Every status a reader may filter by. */
  readonly statuses: readonly string[];
  /** One of them → as the view has it; without this, the same. */
  statusOf?(spelled: string): string;
  show(row: Readonly<Record<string, unknown>>): object;
}
