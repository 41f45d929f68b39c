import type { Response } from 'express';

/** An answer as bytes: it can be sent, kept in a table, and sent again the same. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export const JSON_TYPE = 'application/json; charset=utf-8';

export function jsonReply(status: number, document: object, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status, headers: { 'content-type': JSON_TYPE, ...headers }, body: JSON.stringify(document) };
}

export function sendReply(response: Response, { status, headers, body }: Reply): void {
  response.status(status);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (status === 304) response.end();
  else response.end(body);
}
