import { ROLES, type Needs } from '../src/api/roles';
import { openApi, type TestApi } from './setup/api';
import { fakeProducer } from './setup/fake-producer';
import { PARTS_TIMEOUT_MS } from './setup/stack';

const up = async () => undefined;
const TOKENS: Readonly<Record<string, string>> = { viewer: 'viewer-0123456789abcdef', submitter: 'submitter-0123456789abcdef', operator: 'operator-0123456789abcdef', admin: 'admin-0123456789abcdef' };
const env = { FAZENDA_ADMIN_TOKEN: TOKENS.admin!, FAZENDA_TOKENS: `viewer:${TOKENS.viewer},submitter/alice:${TOKENS.submitter},operator:${TOKENS.operator}` };

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly needs: Needs;
  readonly security: readonly Record<string, string[]>[];
  readonly responses: Readonly<Record<string, unknown>>;
}

/** What each operation is to need, by rules that a new one has to fit or be named here: written again, not read from the code. */
function expected(method: string, path: string): Needs {
  if (path.startsWith('/admin/') || path === '/kafka/publish') return 'admin';
  if (['/livez', '/readyz', '/health'].includes(path) || path.startsWith('/docs')) return 'anyone';
  if (method === 'get') return 'viewer';
  if (/^\/commands\/|^\/(v1\/)?orders$|^\/v1\/items/.test(path)) return 'submitter';
  return 'operator';
}

let open: TestApi;
let closed: TestApi;
beforeAll(async () => {
  const checks = { kafka: up, temporal: up, postgres: up };
  [open, closed] = await Promise.all([openApi({ producer: fakeProducer(), checks, env }), openApi({ producer: fakeProducer(), checks, env: { ...env, AUTH_ALWAYS: 'true' } })]);
}, PARTS_TIMEOUT_MS);
afterAll(() => Promise.all([open.close(), closed.close()]));

const bearer = (role: string): Record<string, string> => ({ authorization: `Bearer ${TOKENS[role] ?? role}` });

/** Every operation of the API's own document. */
async function operationsOf(api: TestApi): Promise<Operation[]> {
  const { json } = await api.call('GET', '/docs/openapi.json', undefined, bearer('admin'));
  const paths = json.paths as Record<string, Record<string, { security: Operation['security']; responses: Operation['responses']; 'x-needs': Needs }>>;
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security, responses, 'x-needs': needs }]) => ({ method, path, needs, security, responses })));
}

/** The operation as somebody calls it, with a body that nothing takes. */
async function statusOf(api: TestApi, { method, path }: Operation, headers: Record<string, string> = {}): Promise<number> {
  const { status } = await api.call(method.toUpperCase(), path.replace('{id}', 'x'), method === 'get' || method === 'delete' ? undefined : '[]', headers);
  return status;
}

test('each operation needs what it is to need, and the document says so', async () => {
  for (const api of [open, closed]) {
    const operations = await operationsOf(api);
    expect(operations.length).toBeGreaterThan(20);
    for (const operation of operations) {
      const { method, path, security, responses } = operation;
      const needs = expected(method, path);
      expect([method, path, operation.needs]).toEqual([method, path, needs]);
      const asked = api === closed || needs === 'admin';
      expect([method, path, security]).toEqual([method, path, asked ? [{ bearer: needs === 'anyone' ? [] : [needs] }] : []]);
      expect([method, path, '401' in responses, '403' in responses]).toEqual([method, path, asked, asked && needs !== 'anyone']);
    }
  }
});

test.each(ROLES)('%s may do what it may, and nothing else', async (role) => {
  for (const operation of await operationsOf(closed)) {
    const needs = expected(operation.method, operation.path);
    const may = needs === 'anyone' || ROLES.indexOf(role) >= ROLES.indexOf(needs);
    const status = await statusOf(closed, operation, bearer(role));
    if (may) expect([operation.method, operation.path, [401, 403].includes(status)]).toEqual([operation.method, operation.path, false]);
    else expect([operation.method, operation.path, status]).toEqual([operation.method, operation.path, 403]);
  }
});

test.each([['no token', {}], ['a wrong token', { authorization: 'Bearer wrong-0123456789abcdef' }], ['another scheme', { authorization: 'Basic dGhlIGFkbWlu' }]])('with %s nothing answers', async (_what, headers) => {
  for (const operation of await operationsOf(closed)) {
    expect([operation.method, operation.path, await statusOf(closed, operation, headers)]).toEqual([operation.method, operation.path, 401]);
  }
});

test('on loopback only what an admin may do is asked for a token', async () => {
  for (const operation of await operationsOf(open)) {
    const admins = expected(operation.method, operation.path) === 'admin';
    const where = [operation.method, operation.path];
    for (const headers of [{}, bearer('wrong-0123456789abcdef')]) {
      const status = await statusOf(open, operation, headers);
      expect([...where, status === 401, status === 403]).toEqual([...where, admins, false]);
    }
    const status = await statusOf(open, operation, bearer('admin'));
    expect([...where, [401, 403].includes(status)]).toEqual([...where, false]);
    if (admins) expect([...where, await statusOf(open, operation, bearer('operator'))]).toEqual([...where, 403]);
  }
});

test('every route that is mounted is in the document, but for pages', async () => {
  const documented = new Set((await operationsOf(open)).map(({ path }) => path));
  // The page of a list and the page of one thing answer OPTIONS with their methods, whoever asks.
  for (const path of documented) {
    if (path.startsWith('/ws/')) continue;
    const { headers } = await open.call('OPTIONS', path.replace('{id}', 'x'));
    const methods = (headers.get('allow') ?? '').split(', ').filter((method) => !['OPTIONS', 'HEAD'].includes(method)).map((method) => method.toLowerCase());
    const said = (await operationsOf(open)).filter((operation) => operation.path === path).map(({ method }) => method);
    expect([path, methods.sort()]).toEqual([path, said.sort()]);
  }
});
