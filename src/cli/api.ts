import { ERROR_CATALOGUE, FazendaError, textOf, type ErrorCode } from '../errors';

const CALL_TIMEOUT_MS = 20_000;

/** `Authorization` for an API that listens beyond loopback; nothing where no token is set. */
export function authorization(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  return env.FAZENDA_ADMIN_TOKEN ? { authorization: `Bearer ${env.FAZENDA_ADMIN_TOKEN}` } : {};
}

/**
 * One request to the API; gives the JSON of its answer.
 * @throws FazendaError with the code that the API gave; FZ_API_AWAY where it gave no answer.
 */
export async function callApi(api: string, method: 'GET' | 'POST' | 'PATCH', path: string, body?: object): Promise<Record<string, unknown>> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(`${api}${path}`, {
      method,
      headers: { ...authorization(), ...(body && { 'content-type': 'application/json' }) },
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
