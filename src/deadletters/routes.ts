import type { Request } from 'express';
import { parseBody, validBody } from '../api/body';
import { headerId } from '../api/correlation';
import { jsonReply, type Reply } from '../api/reply';
import { idOf, withKey, type Route, type RouteDeps } from '../api/routes';
import { nameOf } from '../auth/caller';
import { openCodec } from '../kafka/codec';
import { redriveMany } from './bulk';
import { foreseeIfPossible, type ForeseeDeps } from './foresee';
import { rebuildIndex } from './indexer';
import { causesOf, listLetters } from './list';
import { redriveLetter, redriveLetters, type RedriveLetter, type RedriveLetters } from './requests';
import { foundLetter, redrive, tryRedrive, type RedriveDeps } from './redrive';
import { showForeseen, showListed, showWhole } from './show';

export const DEAD_LETTERS_PATH = '/admin/dead-letters';

/** Who redrives, where a caller has no name of its own. */
const ADMIN = 'admin';

/** The routes of dead letters; a path without an id comes before the one with. */
export function deadLetterRoutes(given: Pick<RouteDeps, 'config' | 'db' | 'producer' | 'log'>): Route[] {
  const deps = { ...given, codec: openCodec(given.config, given.db) };
  const { db } = deps;
  return [
    {
      method: 'get', path: DEAD_LETTERS_PATH, needs: 'admin',
      async answer({ query }) {
        const { items, nextCursor } = await listLetters(db, query);
        return jsonReply(200, { items: items.map(showListed), nextCursor });
      },
    },
    { method: 'get', path: `${DEAD_LETTERS_PATH}/causes`, needs: 'admin', answer: async ({ query }) => jsonReply(200, { items: await causesOf(db, query), nextCursor: null }) },
    {
      method: 'post', path: `${DEAD_LETTERS_PATH}/redrive`, needs: 'admin',
      answer(request, response) {
        const body = validBody(redriveLetters, parseBody(request.body)) as RedriveLetters;
        return withKey(deps, `${DEAD_LETTERS_PATH}/redrive`, request, response, body, () => answerMany(deps, body, whoIs(request)));
      },
    },
    {
      method: 'post', path: `${DEAD_LETTERS_PATH}/reindex`, needs: 'admin',
      async answer() {
        await rebuildIndex(db);
        return jsonReply(202, { status: 'the index is being made again from the topics' });
      },
    },
    { method: 'get', path: `${DEAD_LETTERS_PATH}/:id`, needs: 'admin', answer: (request) => answerOne(deps, letterIdOf(request)) },
    {
      method: 'post', path: `${DEAD_LETTERS_PATH}/:id/redrive`, needs: 'admin',
      answer(request, response) {
        const id = letterIdOf(request);
        const body = validBody(redriveLetter, hasBody(request) ? parseBody(request.body) : {}) as RedriveLetter;
        return withKey(deps, `${DEAD_LETTERS_PATH}/${id}/redrive`, request, response, body, () => answerRedrive(deps, id, body, whoIs(request)));
      },
    },
  ];
}

async function answerOne(deps: ForeseeDeps, id: string): Promise<Reply> {
  const found = await foundLetter(deps.db, id);
  return jsonReply(200, await showWhole(found, deps.codec, await foreseeIfPossible(deps, found.letter)));
}

async function answerRedrive(deps: RedriveDeps, id: string, body: RedriveLetter, by: string): Promise<Reply> {
  const value = editedValue(body);
  if (body.dryRun) {
    const { found, foreseen, before, after } = await tryRedrive(deps, id, value);
    return jsonReply(200, { id, dryRun: true, state: found.listed.state, topic: found.letter.topic, wouldBecome: showForeseen(foreseen), before, after });
  }
  const done = await redrive(deps, id, { by, why: body.why ?? null, ...(value !== undefined && { value }) });
  const { letter: { topic }, redrivenTo, before, after } = done;
  return jsonReply(202, { id, topic, redrivenTo, by: done.redrive.by, why: done.redrive.why, at: done.redrive.at, edited: done.redrive.edited, before, after });
}

async function answerMany(deps: RedriveDeps, body: RedriveLetters, by: string): Promise<Reply> {
  const { ids, where = {}, why = null, ratePerSecond, limit, cursor, dryRun } = body;
  const which = ids ? { ids } : { where, limit, cursor };
  const outcome = await redriveMany(deps, which, { by, why: why ?? null, ratePerS: ratePerSecond, dryRun });
  // Nothing was done, and it was nobody's own fault: the caller is told so by the status.
  if (outcome.stoppedBy && outcome.redriven.length + outcome.refused.length + outcome.foreseen.length === 0) throw outcome.stoppedBy;
  const said = (error: { code: string; message: string }) => ({ errorCode: error.code, reason: error.message });
  return jsonReply(200, {
    dryRun, redriven: outcome.redriven,
    ...(dryRun && { foreseen: outcome.foreseen.map(({ id, foreseen }) => ({ id, wouldBecome: showForeseen(foreseen) })) }),
    refused: outcome.refused.map(({ id, error }) => ({ id, ...said(error) })),
    stoppedBy: outcome.stoppedBy && said(outcome.stoppedBy), left: outcome.left, nextCursor: outcome.nextCursor,
  });
}

/** Bytes as they are given, or JSON as `JSON.stringify` writes it. */
function editedValue({ value, valueBase64 }: RedriveLetter): Buffer | undefined {
  if (valueBase64 !== undefined) return Buffer.from(valueBase64, 'base64');
  return value === undefined ? undefined : Buffer.from(JSON.stringify(value), 'utf8');
}

/** The path has it as one segment, encoded once; an id that was copied as it stands in a URL is understood as well. */
function letterIdOf(request: Request): string {
  const id = idOf(request);
  return id.includes('/') ? id : id.replaceAll(/%2f/gi, '/');
}

function hasBody({ body }: Request): boolean {
  return Buffer.isBuffer(body) && body.length > 0;
}

function whoIs(request: Request): string {
  return nameOf(request, headerId(request, 'x-user-id')) ?? ADMIN;
}
