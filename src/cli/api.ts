import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_CATALOGUE, FazendaError, textOf, type ErrorCode } from '../errors';
import { ADMIN_TOKEN_FILE } from '../runtime/home';
import { isErrno } from '../runtime/identity';
import { homeFolder, readEndpoints } from './endpoints';

const CALL_TIMEOUT_MS = 20_000;

/**
 * `Authorization` for an API: FAZENDA_TOKEN, else FAZENDA_ADMIN_TOKEN, else the token that `npm start` made and left
 * in its home, which is shown to no other API than the one that runs from there. Nothing where there is none.
 */
export function authorization(api: string, env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const token = env.FAZENDA_TOKEN || env.FAZENDA_ADMIN_TOKEN || (api === readEndpoints(env)?.api ? madeToken(env) : undefined);
  return token ? { authorization: `Bearer ${token}` } : {};
}

function madeToken(env: NodeJS.ProcessEnv): string | undefined {
  try {
    return readFileSync(join(homeFolder(env), ADMIN_TOKEN_FILE), 'utf8').trim();
  } catch (thrown) {
    if (isErrno(thrown, 'ENOENT') || isErrno(thrown, 'EACCES')) return undefined; // Made for somebody else, or not at all.
    throw thrown;
  }
}

/**
 * One request to the API; gives the JSON of its answer.
 * @throws FazendaError with the code that the API gave; FZ_API_AWAY where it gave no answer.
 */
export async function callApi(
  api: string, method: 'GET' | 'POST' | 'PATCH', path: string, body?: object, more: Readonly<Record<string, string>> = {},
): Promise<Record<string, unknown>> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(`${api}${path}`, {
      method,
      headers: { ...more, ...authorization(api), ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    text = await response.text();
  } catch (cause) {
    const reason = cause instanceof Error && cause.cause ? cause.cause : cause;
    throw new FazendaError('FZ_API_AWAY', `${api} does not answer (${textOf(reason)})`, {}, cause);
  }
  const json = parsed(text);
  if (response.ok && json) return json;
  throw problemOf(response.status, json);
}

function problemOf(status: number, problem: Record<string, unknown> | undefined): FazendaError {
  const { code, detail, errors } = problem ?? {};
  if (!isCode(code)) return new FazendaError('FZ_API_AWAY', `the API answered ${status} without a reason`);
  const fields = Array.isArray(errors) ? errors.filter(isField) : [];
  return new FazendaError(code, typeof detail === 'string' ? detail : `status ${status}`, fields.length > 0 ? { fields } : {});
}

function isCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_CATALOGUE, code);
}

function isField(error: unknown): error is { path: string; message: string } {
  return typeof error === 'object' && error !== null && 'path' in error && 'message' in error;
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : undefined;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined; // Not the API, or not itself: said by its status.
    throw thrown;
  }
}
