import { textOf } from '../errors';
import type { Logger } from '../log';

/** A broker that says nothing would hold up a stop for as long as requests are waited for, ms. */
const LET_GO_MS = 2_000;

/**
 * Closes a client's connections, and waits no longer than 2 s for a broker to let go: what is left then ends with
 * the process. Never throws.
 */
export async function letGo(client: { disconnect(): Promise<void> }, log: Logger): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, LET_GO_MS)));
  const gone = client.disconnect().catch((thrown: unknown) => log.debug({ cause: textOf(thrown) }, 'Kafka was away at the end'));
  await Promise.race([gone, late]);
  clearTimeout(timer);
}
