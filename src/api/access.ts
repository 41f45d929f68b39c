import { faults } from './openapi';
import type { Needs } from './roles';
import type { Route } from './routes';

type Json = { readonly [name: string]: unknown };

/** Paths that the gateway serves, which no route of ours answers. */
const LIVE_NEEDS: Needs = 'viewer';

/**
 * The API's document with who may call each operation: `security` as this API asks for it, its 401 and 403, and the
 * role by name. `asks` tells whether a token is asked for at all, which on loopback only an admin's routes do.
 */
export function withAccess(document: Json, routes: readonly Route[], asks: (needs: Needs) => boolean): Json {
  const needs = new Map(routes.map((route) => [`${route.method} ${route.path.replaceAll(/:(\w+)/g, '{$1}')}`, route.needs]));
  const paths = Object.entries(document.paths as Record<string, Record<string, Json>>).map(([path, methods]) => [
    path,
    Object.fromEntries(Object.entries(methods).map(([method, operation]) => {
      const needed = needs.get(`${method} ${path}`) ?? LIVE_NEEDS;
      return [method, operationWith(operation, needed, asks(needed))];
    })),
  ]);
  return { ...document, paths: Object.fromEntries(paths) as Json };
}

/** OpenAPI 3.1 lets a requirement name the roles of a scheme that has no scopes of its own. */
function operationWith(operation: Json, needs: Needs, asked: boolean): Json {
  const responses = { ...(operation.responses as Json), ...(asked && faults('FZ_UNAUTHORIZED', 'FZ_IDENTITY_AWAY')), ...(asked && needs !== 'anyone' && faults('FZ_FORBIDDEN')) };
  const merged = Object.fromEntries(Object.entries(responses).map(([status, said]) => [status, both((operation.responses as Json)[status], said)]));
  return { ...operation, 'x-needs': needs, security: asked ? [{ bearer: needs === 'anyone' ? [] : [needs] }] : [], responses: merged };
}

/** A status that the operation has words of its own for keeps them, and says ours after them. */
function both(own: unknown, ours: unknown): unknown {
  if (own === undefined || own === ours) return ours;
  const [first, second] = [own, ours] as { description: string }[];
  return first === undefined || second === undefined || first.description.includes(second.description) ? own : { ...first, description: `${first.description} ${second.description}` };
}
