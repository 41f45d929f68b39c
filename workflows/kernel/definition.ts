import type { ZodObject, ZodType } from 'zod';
import type { Fact } from './fact';
import type { AnyState, Lifecycle, Phase, Placed } from './lifecycle';

/**
 * What the rest of fazenda knows of a domain, as data: the doors in, the topics out, the view, the
 * pages of the API. Ingress, API, relay, gateway and migrations loop over these and know no domain by name.
 * Kept apart from lifecycle and story, because zod must stay out of the workflow's import graph.
 */
export interface Domain<State extends AnyState = AnyState, F extends Fact = Fact> {
  /** Part of every id and of `ce_source` (`/fazenda/<name>`); never changes. */
  readonly name: string;
  /** The exported workflow that carries one story. */
  readonly workflow: string;
  /** How many stories may share a workflow; 1 gives each its own. */
  readonly laneSizeMax: number;
  /** The exported workflow that carries a lane of them; needed where `laneSizeMax` is over 1. */
  readonly lane?: string;
  readonly lifecycle: Lifecycle<State, F>;
  /** Each fact's topic, by type. */
  readonly topics: Readonly<Record<F['type'], string>>;
  /** What its records say; kept out of the story's import graph. */
  readonly contracts: Contracts<F['type']>;
  /** Kafka records that become stories or mail. */
  readonly doors: readonly Door[];
  readonly view: View<State>;
  readonly http: HttpSurface;
  readonly cli: CliSurface;
  /** Environment settings of this domain, by variable name; parsed with all others at the start. */
  readonly settings: ZodObject;
  /** The part of the settings that a story sees, fixed for a run when it begins. */
  limits(settings: Readonly<Record<string, unknown>>): object;
  /** How long a story may be `waiting`, ms: past it a run should have moved it, and the sweeper starts one. */
  waitsAtMostMs?(settings: Readonly<Record<string, unknown>>): number;
  /** How a story looks in the Temporal Web UI. */
  readonly display: Display;
  /** Tables of its own: idempotent SQL, run at every migration, in this order. */
  readonly tables: readonly string[];
  /** Facts that people are told of by e-mail, by type. */
  readonly notices?: Readonly<Record<string, Notice>>;
  /** The objects that a fact names in the object store, which have to stay there as they were put. */
  objects?(fact: F): readonly NamedObject[];
  /** Tables that follow from the facts beside the view, in the order in which a recovery makes them again. */
  readonly books?: readonly Book[];
}

/** Avro in the Confluent wire format, or JSON. */
export type Encoding = 'avro' | 'json';

export interface Contracts<FactType extends string = string> {
  /** Namespace of its Avro records. */
  readonly namespace: string;
  /** What its topics are written in, unless the installation says otherwise; both are read everywhere. */
  readonly encoding: Encoding;
  /** The data of each fact, by type. */
  readonly facts: Readonly<Record<FactType, ZodObject>>;
  /** Records that come in and are no facts. */
  readonly commands: readonly CommandContract[];
}

export interface CommandContract {
  readonly topic: string;
  /** Its name among the schemas. */
  readonly name: string;
  /** Its `ce_type`. */
  readonly type: string;
  readonly schema: ZodObject;
}

/** An object as a fact names it. */
export interface NamedObject {
  /** `s3://bucket/key` */
  readonly uri: string;
  /** Of its bytes, hex. */
  readonly sha256: string;
  /** Its length, where the fact says it. */
  readonly bytes?: number;
}

/**
 * A table that effects of stories wrote, and that can be written again from their facts after a database was lost.
 * Nothing is acted again by it: it says what was done.
 */
export interface Book {
  /** What it keeps, for whoever reads what a recovery did: `reservations of stock`. */
  readonly what: string;
  /** The entry of one aggregate, from all of its facts; undefined where it has none. Pure. */
  entry(id: string, facts: readonly Fact[]): object | undefined;
  /**
   * Idempotent SQL that enters `$1`, a JSON array of entries, where nothing is entered yet. Each row that it
   * returns, a text `said`, is something that could not be entered as it was, for a person to look at.
   */
  readonly sql: string;
}

/** A letter about a fact: to whom, and what it says. Pure; the same fact gives the same letter. */
export interface Notice {
  /** Where the address is: the row of a table by its `id`, a text. No row or no address: no letter, and that is counted. */
  readonly recipient: { readonly table: string; readonly addressColumn: string; id(data: object): string };
  /** One line; whatever would break it is taken out by the sender. */
  subject(data: object): string;
  text(data: object): string;
}

/** A record as a door sees it: decoded, its text known to be storable, its headers as strings. */
export interface Arrival<Message> {
  readonly message: Message;
  readonly headers: Readonly<Record<string, string>>;
  /** When it was sent, ISO 8601 UTC: its `ce_time` where that is an instant, else the time of the Kafka record. */
  readonly sentAt: string;
}

interface AnyDoor {
  readonly topic: string;
  readonly group: string;
  /** Environment variables by which an installation may name the topic or the group otherwise. */
  readonly topicSetting?: string;
  readonly groupSetting?: string;
  readonly schema: ZodType;
  /** True where records that fazenda wrote itself must not come in again. */
  readonly foreignOnly: boolean;
}

/** A record that begins a story: it becomes fact 1. */
export interface StartDoor extends AnyDoor {
  readonly kind: 'start';
  /** `correlationId`: where the message itself names one; a header that names one wins. */
  first(arrival: Arrival<never>): { id: string; type: string; at: string; data: object; context?: object; correlationId?: string };
}

/** A record for a story that exists or will: it becomes mail. */
export interface MailDoor extends AnyDoor {
  readonly kind: 'mail';
  mail(arrival: Arrival<never>): { id: string; type: string; data: object };
}

export type Door = StartDoor | MailDoor;

/** One row an aggregate, written with the fact. `status`, `version` and `phase` mean the same everywhere. */
export interface View<State> {
  readonly table: string;
  /** Column that holds the aggregate's id. */
  readonly key: string;
  /** Column that says whose it is: the subject of the submitter who may see it. Without one, no submitter may. */
  readonly owner?: string;
  /** Column → value; every column of the table that is not generated. */
  row(id: string, state: Placed<State>, phase: Phase): Readonly<Record<string, unknown>>;
}

/** What starts with a story and is read in the Web UI and by the task queue. */
export interface Display {
  /** Static summary of the workflow, from fact 1's data; one line. */
  summary(data: object): string;
  /** Shown beside the run, searched by no one. */
  memo(data: object): Readonly<Record<string, string>>;
  /** Custom search attributes, all Keyword: name → value from fact 1's data. */
  readonly searchAttributes: Readonly<Record<string, (data: object) => string>>;
  /** Temporal's priority key, 1 (first) to 5 (last); 3 where a domain has none. */
  priority(data: object): number;
}

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

/** How a domain is spoken of on the command line. */
export interface CliSurface {
  /** One aggregate: `fazenda <noun> <id>` tells its story. */
  readonly noun: string;
  readonly submit: CliSubmit;
  /** `fazenda <noun> <name> <id>`: what can be asked of one aggregate. */
  readonly updates?: readonly CliUpdate[];
  /** The facts that end a story → whether it ended well. */
  readonly endings: Readonly<Record<string, boolean>>;
}

/** A command that creates an aggregate through the API and can watch it to its end. */
export interface CliSubmit {
  readonly name: string;
  /** True where it is `fazenda <noun> <name>`; else it is `fazenda <name>`. */
  readonly underNoun?: boolean;
  readonly summary: string;
  /** Path of the `creates` command that it calls. */
  readonly path: string;
  readonly options: readonly CliOption[];
  /** The request's body. `user` is who runs the command. */
  body(given: Readonly<Record<string, string>>, pairs: Readonly<Record<string, unknown>>, user: string): object;
}

/** One body of an `HttpUpdate`, as a command. */
export interface CliUpdate {
  readonly name: string;
  readonly summary: string;
  /** Path of the update that it calls. */
  readonly path: string;
  readonly body: object;
}

export interface CliOption {
  /** As commander writes them: `--template <id>`. */
  readonly flags: string;
  readonly summary: string;
  readonly preset?: string;
  /** Given any number of times as `name=value`; all of them come as the body's `pairs`. */
  readonly pairs?: boolean;
}
