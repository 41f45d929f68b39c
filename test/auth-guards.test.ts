import express from 'express';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { correlate } from '../src/api/correlation';
import { answerFaults } from '../src/api/problem';
import { ROLES, type Needs } from '../src/api/roles';
import { openAuthenticator } from '../src/auth/authenticator';
import { callerOf } from '../src/auth/caller';
import { guardsOf } from '../src/auth/guard';
import { parseTokens } from '../src/auth/tokens';
import { readConfig } from '../src/config';
import { openLog } from '../src/log';

const NEEDS: readonly Needs[] = ['anyone', ...ROLES];
const ADMIN = 'admin-token-of-this-test';
const TOKENS: Readonly<Record<string, string>> = { viewer: 'viewer-token-0123456789', submitter: 'submitter-token-0123456789', operator: 'operator-token-0123456789', admin: ADMIN };
const LIST = `viewer:${TOKENS.viewer},submitter/alice:${TOKENS.submitter}\n# a comment\noperator/olga:${TOKENS.operator}`;

const servers: Server[] = [];
afterAll(() => servers.forEach((server) => server.close()));

/** A server with one route for each need, which answers with its caller's name. */
async function serve(env: Record<string, string>): Promise<(needs: Needs, token?: string) => Promise<[number, string, string | null]>> {
  const config = readConfig({ LOG_LEVEL: 'silent', FAZENDA_ADMIN_TOKEN: ADMIN, FAZENDA_TOKENS: LIST, ...env });
  const guards = guardsOf(openAuthenticator(config), config.ANYONE_NEEDS_TOKEN);
  const app = express().use(correlate);
  for (const needs of NEEDS) app.get(`/${needs}`, ...guards(needs), (request, response) => void response.end(callerOf(request).subject));
  app.use(answerFaults(openLog(config, 'test')));
  const server = createServer(app).listen(0, '127.0.0.1');
  servers.push(server);
  await new Promise((resolve) => server.once('listening', resolve));
  return async (needs, token) => {
    const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${needs}`, token === undefined ? {} : { headers: { authorization: token } });
    return [answer.status, answer.status === 200 ? await answer.text() : String(((await answer.json()) as { code: string }).code), answer.headers.get('www-authenticate')];
  };
}

describe('on loopback', () => {
  test.each(NEEDS.filter((needs) => needs !== 'admin'))('what needs %s is open, whatever is sent along', async (needs) => {
    const call = await serve({});
    for (const token of [undefined, 'Bearer wrong', `Bearer ${TOKENS.viewer}`]) expect((await call(needs, token)).slice(0, 2)).toEqual([200, 'anyone']);
  });

  test('what needs an admin needs the admin token: 401 without it or with a wrong one, 403 with a lesser one', async () => {
    const call = await serve({});
    expect(await call('admin')).toEqual([401, 'FZ_UNAUTHORIZED', 'Bearer realm="fazenda"']);
    for (const wrong of ['Bearer wrong', `Bearer ${ADMIN}x`]) expect(await call('admin', wrong)).toEqual([401, 'FZ_UNAUTHORIZED', 'Bearer realm="fazenda", error="invalid_token"']);
    for (const other of ['Bearer', `Basic ${ADMIN}`, ADMIN]) expect(await call('admin', other)).toEqual([401, 'FZ_UNAUTHORIZED', 'Bearer realm="fazenda"']);
    for (const role of ['viewer', 'submitter', 'operator']) {
      expect(await call('admin', `Bearer ${TOKENS[role]}`)).toEqual([403, 'FZ_FORBIDDEN', 'Bearer realm="fazenda", error="insufficient_scope", scope="admin"']);
    }
    for (const right of [`Bearer ${ADMIN}`, `bearer   ${ADMIN}`]) expect((await call('admin', right)).slice(0, 2)).toEqual([200, 'admin']);
  });

  test('without any token set, nobody is an admin', async () => {
    const call = await serve({ FAZENDA_ADMIN_TOKEN: '', FAZENDA_TOKENS: '' });
    expect((await call('operator'))[0]).toBe(200);
    for (const token of [undefined, 'Bearer ', 'Bearer undefined']) expect((await call('admin', token))[0]).toBe(401);
  });
});

describe('where everybody is asked', () => {
  test.each([{ HOST: '0.0.0.0' }, { AUTH_ALWAYS: 'true' }])('each role may do what those before it may: %j', async (env) => {
    const call = await serve(env);
    for (const [rank, role] of ROLES.entries()) {
      for (const needs of NEEDS) {
        const may = needs === 'anyone' || ROLES.indexOf(needs) <= rank;
        expect([role, needs, (await call(needs, `Bearer ${TOKENS[role]}`))[0]]).toEqual([role, needs, may ? 200 : 403]);
      }
    }
    for (const needs of NEEDS) expect([needs, (await call(needs))[0], (await call(needs, 'Bearer wrong'))[0]]).toEqual([needs, 401, 401]);
  });

  test('what is for anyone can be opened by setting', async () => {
    const call = await serve({ HOST: '0.0.0.0', ANYONE_NEEDS_TOKEN: 'false' });
    expect((await call('anyone'))[0]).toBe(200);
    expect((await call('viewer'))[0]).toBe(401);
  });
});

describe('the list of tokens', () => {
  test('a token may be named by its digest', async () => {
    const digest = 'f3d6e37e0b4b8cf4a1ef2d4a5a0b0f0f9a1d7cbd0d1bb3be4bb30a6d3b6a0a51';
    expect(parseTokens(`viewer:sha256=${digest}`).tokens[0]?.digest.toString('hex')).toBe(digest);
  });

  test.each([
    ['janitor:0123456789abcdef', /entry 1 does not begin/],
    ['viewer', /entry 1 does not begin/],
    ['viewer:short', /entry 1 has a token that is not 16/],
    ['submitter:0123456789abcdef', /entry 1 has no subject/],
    ['viewer:0123456789abcdef,operator:0123456789abcdef', /entry 2 has the token of another/],
    ['viewer:has spaces in it 0123', /entry 1 has a token/],
  ])('%s is refused, and the fault does not tell the token', (list, fault) => {
    let said = '';
    try {
      readConfig({ FAZENDA_TOKENS: list });
    } catch (thrown) {
      said = String(thrown);
    }
    expect(said).toMatch(fault);
    expect(said).not.toMatch(/0123456789abcdef|short|spaces/);
  });
});
