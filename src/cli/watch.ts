import { WebSocket } from 'ws';
import { FazendaError } from '../errors';
import type { Step } from '../facts/folded';
import { authorization } from './api';

const RECONNECT_MS = 300;
/** Without a single connection for this long, the watching is given up. */
const AWAY_MAX_MS = 30_000;
const REFUSED = 1008;

/**
 * Follows a story by WebSocket from its first version, connecting again with the last one seen, until
 * `onStep` says that it is over.
 * @throws FazendaError FZ_API_AWAY after 30 s without a connection; FZ_SUBSCRIPTION_INVALID when refused.
 */
export async function watch(api: string, path: string, onStep: (step: Step) => 'more' | 'over'): Promise<void> {
  let lastVersion = 0;
  let lastSeen = Date.now();
  for (;;) {
    const url = `${api.replace(/^http/, 'ws')}${path}?lastVersion=${lastVersion}`;
    const ended = await listen(api, url, (step) => {
      lastVersion = step.version;
      return onStep(step);
    }, () => (lastSeen = Date.now()));
    if (ended === 'over') return;
    if (Date.now() - lastSeen > AWAY_MAX_MS) throw new FazendaError('FZ_API_AWAY', `${api} pushes nothing any more`);
    await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
  }
}

/** One connection, to its end. */
function listen(api: string, url: string, onStep: (step: Step) => 'more' | 'over', onOpen: () => void): Promise<'over' | 'broken'> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers: authorization(api), handshakeTimeout: 5_000 });
    let over = false;
    socket.on('open', onOpen);
    socket.on('message', (data: Buffer) => {
      if (over || onStep(JSON.parse(data.toString('utf8')) as Step) === 'more') return;
      over = true;
      socket.close();
    });
    socket.on('error', () => undefined); // Followed by `close`, which says what to do.
    socket.on('close', (code, reason) => {
      if (code === REFUSED) reject(new FazendaError('FZ_SUBSCRIPTION_INVALID', reason.toString('utf8')));
      else resolve(over ? 'over' : 'broken');
    });
  });
}
