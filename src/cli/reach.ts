import { connect } from 'node:net';

const CONNECT_TIMEOUT_MS = 2_000;

/** True when any of these addresses (`host:port`, or a URL) takes a connection within two seconds. */
export async function reachable(addresses: readonly string[]): Promise<boolean> {
  const answers = await Promise.all(addresses.map(connects));
  return answers.includes(true);
}

function connects(address: string): Promise<boolean> {
  const { host, port } = placeOf(address);
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS });
    const answer = (found: boolean) => {
      socket.destroy();
      resolve(found);
    };
    socket.once('connect', () => answer(true)).once('timeout', () => answer(false)).once('error', () => answer(false));
  });
}

const PRESET_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443, 'postgres:': 5432, 'postgresql:': 5432, 'redis:': 6379, 'amqp:': 5672, 'amqps:': 5671, 'smtp:': 587, 'smtps:': 465 };

function placeOf(address: string): { host: string; port: number } {
  const { hostname, port, protocol } = new URL(address.includes('://') ? address : `tcp://${address}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? (PRESET_PORTS[protocol] ?? 0) : Number(port) };
}
