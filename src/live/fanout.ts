/** A word that a story has reached a version. It carries no content: whoever cares reads that from Postgres. */
export interface Hint {
  readonly domain: string;
  readonly id: string;
  readonly version: number;
}

/** What a gateway hears from all gateways, itself included. */
export interface Listener {
  hint(hint: Hint): void;
  /** Hints may have been lost: look at every story again. */
  doubt(): void;
}

/**
 * Carries hints from the gateway that read them on Kafka to those whose clients wait for them. Hints may
 * come twice or in any order, and may be lost if doubt is told later: none of that reaches a client.
 */
export interface FanOut {
  listen(listener: Listener): void;
  /** Tells whoever has joined. Never waits for a network that is away and never throws. */
  tell(hints: readonly Hint[]): void;
  /** From now on (a promise: once it resolves) hints about this story are heard here. */
  join(domain: string, id: string): Promise<void> | undefined;
  leave(domain: string, id: string): void;
  close(): Promise<void>;
}

/** One gateway alone: what it reads, its own clients hear. */
export class LocalFanOut implements FanOut {
  private listener: Listener | undefined;

  listen(listener: Listener): void {
    this.listener = listener;
  }

  tell(hints: readonly Hint[]): void {
    for (const hint of hints) this.listener?.hint(hint);
  }

  join(): undefined {
    return undefined;
  }

  leave(): void {
    // Nothing was joined: the listener itself knows whom it follows.
  }

  async close(): Promise<void> {
    this.listener = undefined;
  }
}
