import type { ZodObject } from 'zod';
import type { Book, NamedObject, Notice, Sum } from './aftermath';
import type { CliSurface } from './cli';
import type { Door } from './doors';
import type { Analytics } from './analytics';
import type { Fact } from './fact';
import type { HttpSurface } from './http';
import type { AnyState, Lifecycle, Phase, Placed } from './lifecycle';
import type { Statistics } from './statistics';

// One place to import from, whatever of a domain somebody looks at.
export type * from './aftermath';
export type * from './cli';
export type * from './doors';
export type * from './http';

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
  /** Task queues of its own, for activities that need workers of another kind. */
  readonly activityQueues?: readonly string[];
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
  /** What audit reckons up of its tables. */
  readonly sums?: readonly Sum[];
  /** What its facts mean to those who count. */
  readonly analytics?: Analytics<F>;
  /** What is counted of its stories in windows of time. */
  readonly statistics?: Statistics<F['type']>;
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
