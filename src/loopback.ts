import { isIP } from 'node:net';

/** Whether an address of a host can be reached from this machine alone; a spelling that is in doubt is not. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  return isIP(host) === 4 ? host.startsWith('127.') : host === '::1';
}
