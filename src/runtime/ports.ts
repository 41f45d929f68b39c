import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { FazendaError } from '../errors';
import { isErrno } from './identity';
import { tryLock, type Unlock } from './lock';

const PORTS_TRIED_MAX = 400;

/**
 * The ports of one start. A port is claimed for the life of the start and not only while something
 * listens on it, so that whatever dies comes back on its own port, and two starts that run side by side
 * never choose the same.
 */
export class PortBook {
  private readonly unlocks: Unlock[] = [];

  /** The first free loopback port at or above `preferred`. Errors: FZ_PART_UNAVAILABLE when none of 400 is free. */
  async claim(preferred: number): Promise<number> {
    for (let port = preferred; port < Math.min(preferred + PORTS_TRIED_MAX, 65_536); port += 1) {
      const unlock = tryLock(join(tmpdir(), `fazenda-ports-${userInfo().uid}`, `${port}.lock`));
      if (unlock === undefined) continue;
      if (await isFree(port)) {
        this.unlocks.push(unlock);
        return port;
      }
      unlock();
    }
    throw new FazendaError('FZ_PART_UNAVAILABLE', `No free port from ${preferred} on; end what holds them.`);
  }

  /** Gives all claimed ports back. */
  release(): void {
    for (const unlock of this.unlocks.splice(0)) unlock();
  }
}

/**
 * True when nothing listens on the port. Both loopback families are asked: a stranger on ::1 alone would
 * otherwise answer whoever opens http://localhost:PORT.
 */
export async function isFree(port: number): Promise<boolean> {
  return (await canListen(port, '127.0.0.1')) && (await canListen(port, '::1'));
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => {
      if (isErrno(error, 'EADDRINUSE') || isErrno(error, 'EACCES')) resolve(false);
      else if (isErrno(error, 'EADDRNOTAVAIL') || isErrno(error, 'EAFNOSUPPORT')) resolve(true); // No such family here.
      else reject(error);
    });
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
