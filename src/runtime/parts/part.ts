import type { Home } from '../home';

export const PART_NAMES = ['temporal', 'kafka', 'postgres', 's3', 'redis', 'rabbitmq', 'registry', 'clickhouse'] as const;
export type PartName = (typeof PART_NAMES)[number];

/** How a part can be had, in the order in which the ways are tried. */
export const WAYS = ['path', 'docker', 'built'] as const;
export type Way = (typeof WAYS)[number];

/** Where everything is, as CONTRACTS §6 names it; null for a part that does not run. */
export interface Endpoints {
  api: string | null;
  kafka: string | null;
  temporal: string | null;
  temporalNamespace: string | null;
  temporalUi: string | null;
  postgres: string | null;
  s3: S3Endpoint | null;
  schemaRegistry: string | null;
  clickhouse: string | null;
  amqp: string | null;
  smtp: string | null;
  mailbox: string | null;
  redis: string | null;
}

export interface S3Endpoint {
  endpoint: string;
  bucket: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
}

/** What a running part tells: where it is, for people and for our processes' environment. */
export interface PartFacts {
  readonly endpoints: Partial<Endpoints>;
  readonly env: Readonly<Record<string, string>>;
}

/** What is needed to find or build a program. */
export interface InstallContext {
  readonly env: NodeJS.ProcessEnv;
  /** Aborts when the start is given up; whatever runs for it then has to end. */
  readonly signal: AbortSignal;
  /** Tells the person who waits what is being done. */
  say(text: string): void;
}

/** What a part may ask for while it is found, built and prepared. */
export interface PartContext extends InstallContext {
  readonly home: Home;
  /** Search attributes that Temporal registers, name to type (`Keyword`, `KeywordList`, `Int` …). */
  readonly searchAttributes: Readonly<Record<string, string>>;
}

/** A program that was found or built. */
export interface Tool {
  /** The executable, or the folder with the program's files. */
  readonly path: string;
  /** For the start table: `path /usr/bin/x`, `built v1.2.3`. */
  readonly how: string;
}

/** A program made ready to run: its data folder laid, its settings written. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly stopSignal: NodeJS.Signals;
  /** True once it does its work, not merely listens. Never throws for a server that is not there yet. */
  ready(): Promise<boolean>;
}

/** Port numbers by what they are for. */
export type Ports<Purpose extends string = string> = Readonly<Record<Purpose, number>>;

/** One system that fazenda stands on, and all the ways to have it. */
export interface Part<Purpose extends string = string> {
  readonly name: PartName;
  readonly title: string;
  /** Preferred ports; a taken one moves to the next free one. */
  readonly ports: Ports<Purpose>;
  /** Where the environment says that it is already; undefined where it says nothing. */
  external(env: NodeJS.ProcessEnv): PartFacts | undefined;
  /** A fitting program on this machine. */
  find(context: InstallContext): Promise<Tool | undefined>;
  /** Has it made from a package registry, into the cache. Errors: FZ_PART_UNAVAILABLE. */
  build(context: InstallContext): Promise<Tool>;
  prepare(context: PartContext, tool: Tool, ports: Ports<Purpose>): Promise<Launch>;
  /** Where it is, once it runs on these ports. */
  facts(context: PartContext, ports: Ports<Purpose>): PartFacts;
  /** Its service in docker-compose.yml, with the values that its ports and secrets are set by. */
  compose(context: PartContext, ports: Ports<Purpose>): { service: string; env: Record<string, string>; ready(): Promise<boolean> };
  /** What a person can do, with the least trouble, where no way worked. */
  readonly leastTrouble: string;
}

/** Ties a part's port names together, then forgets them so that parts fit in one list. */
export function definePart<Purpose extends string>(part: Part<Purpose>): Part {
  const known = (ports: Ports): Ports<Purpose> => {
    const missing = Object.keys(part.ports).filter((purpose) => ports[purpose] === undefined);
    if (missing.length > 0) throw new TypeError(`${part.name} lacks ports for ${missing.join(', ')}`);
    return ports;
  };
  return {
    ...part,
    prepare: (context, tool, ports) => part.prepare(context, tool, known(ports)),
    facts: (context, ports) => part.facts(context, known(ports)),
    compose: (context, ports) => part.compose(context, known(ports)),
  };
}
