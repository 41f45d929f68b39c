import { domains } from '../../workflows/domains';
import type { Operation } from '../api/operation';
import { jsonReply } from '../api/reply';
import { idOf, type Route } from '../api/routes';
import type { Config } from '../config';
import { FazendaError, textOf } from '../errors';
import { PUSHES_PATH } from '../live/told-pushes';

/** The gateways answer from memory, ms. */
const ANSWERS_WITHIN_MS = 3_000;

/** Where the api tells what the gateways know of one story of a domain. */
export function pushesPath(domain: string): string {
  return `/admin/pushes/${domain}`;
}

/** What was pushed of a story, and to how many: the gateways listen on loopback, so that whoever asks comes by here. */
export function pushRoutes({ GATEWAY_URL }: Pick<Config, 'GATEWAY_URL'>): Route[] {
  return domains.map(({ name, http }): Route => ({
    method: 'get',
    path: `${pushesPath(name)}/:id`,
    needs: 'admin',
    async answer(request) {
      const given = idOf(request);
      return jsonReply(200, await askGateway(GATEWAY_URL, name, http.live.spelling?.(given) ?? given));
    },
  }));
}

async function askGateway(gatewayUrl: string, domain: string, id: string): Promise<object> {
  try {
    const answer = await fetch(new URL(`${PUSHES_PATH}${domain}/${encodeURIComponent(id)}`, gatewayUrl), { signal: AbortSignal.timeout(ANSWERS_WITHIN_MS) });
    if (answer.ok) return (await answer.json()) as object;
    throw new Error(`it answers ${answer.status}`);
  } catch (cause) {
    throw new FazendaError('FZ_GATEWAY_AWAY', `the gateway does not tell what it pushed (${textOf(cause)})`, {}, cause);
  }
}

export const pushOperations: readonly Operation[] = domains.map(({ name, cli }) => ({
  path: `${pushesPath(name)}/:id`, method: 'get', tag: 'admin',
  summary: `Which versions of one ${cli.noun} were pushed to followers, how often and when, as far as the gateways remember`,
  answers: { 200: 'How many gateways answered, how many follow it now, and each version that was pushed' },
  faults: ['FZ_GATEWAY_AWAY'],
}));
