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
