import type { Queryable } from '../facts/postgres';
import type { Logger } from '../log';
import { KnownStories } from '../logging/known-stories';
import { claim, settle, standingOf, type Claimed, type Standing } from './ledger';
import { timed } from '../outside';
import { letters } from './metrics';
import type { Presence } from './presence';
import { DELAYS_MS, type DeadReason, type DelayMs, type Slip, type SlipHandler, type Verdict } from './queue';
import { handOver, type HandedOver, type SmtpOptions } from './smtp';

export interface NotifierDeps {
  readonly db: Queryable;
  readonly presence: Presence;
  readonly smtp: SmtpOptions;
  readonly log: Logger;
}

/** A mail server that is away is waited for this long from the fact on, ms; then the letter is given up. */
const WAITS_AT_MOST_MS = 24 * 3_600_000;
const [SOON, , LATE] = DELAYS_MS;

/**
 * Sends letters, each at most once. A row goes from `queued` to `sending` in one conditional update, and only who
 * made it may talk to the mail server. Where it is found `sending`, either its notifier lives and will say what came
 * of it, or it died in between and nobody knows: then the letter is put aside as perhaps sent.
 */
export function openNotifier({ db, presence, smtp, log }: NotifierDeps): SlipHandler {
  /** What this notifier claimed and has not settled: with how it ended, where Postgres was away when that was to be said. */
  const known = new KnownStories(db);
  const inHand = new Map<string, { readonly claimed: Claimed; handed?: HandedOver }>();

  return async (slip) => {
    if (!presence.present) return again(SOON);
    const claimed = await claim(db, slip.ceId, presence.number);
    if (!claimed) return await notMine(slip);
    const ours: { claimed: Claimed; handed?: HandedOver } = { claimed };
    inHand.set(slip.ceId, ours);
    const handing = () => handOver(smtp, { ...claimed, ceId: slip.ceId });
    // A server that says no has answered.
    ours.handed = await timed('smtp', 'send', handing, ({ outcome }) => outcome === 'sent' || outcome === 'never');
    return await say(slip, claimed, ours.handed);
  };

  async function say(slip: Slip, claimed: Claimed, handed: HandedOver): Promise<Verdict> {
    const { state, verdict, triedMore = false } = whatNext(handed, claimed);
    const reason = state === 'sent' || state === 'queued' ? null : `${verdict.kind === 'dead' ? verdict.reason : ''}: ${handed.detail}`.slice(0, REASON_MAX);
    const mine = await settle(db, slip.ceId, presence.number, { state, reason, triedMore });
    inHand.delete(slip.ceId);
    letters.inc({ outcome: handed.outcome });
    const [about] = await known.of(slip.domain, [slip.aggregateId]);
    const said = { ...about, ce_id: slip.ceId, outcome: handed.outcome, detail: handed.detail };
    if (handed.outcome === 'sent') log.info(said, 'letter sent');
    else log.warn(said, 'letter not sent, or perhaps');
    // While we sent it, our sign of life was lost and somebody put it aside: their word stands.
    return mine ? verdict : { kind: 'done' };
  }

  async function notMine(slip: Slip): Promise<Verdict> {
    const standing = await standingOf(db, slip.ceId);
    if (!standing) return dead('unknown', 'there is no such letter');
    if (standing.state !== 'sending' || standing.sender === null) return verdictOn(standing);
    const ours = standing.sender === presence.number ? inHand.get(slip.ceId) : undefined;
    if (ours?.handed) return await say(slip, ours.claimed, ours.handed);
    if (ours || (await presence.isThere(standing.sender))) return verdictOn(standing);
    return await putAside(slip, standing);
  }

  async function putAside(slip: Slip, { sender }: Standing): Promise<Verdict> {
    const detail = 'its notifier died while it was sending';
    if (sender === null || !(await settle(db, slip.ceId, sender, { state: 'perhaps-sent', reason: detail }))) return again(SOON);
    letters.inc({ outcome: 'perhaps' });
    const [about] = await known.of(slip.domain, [slip.aggregateId]);
    log.warn({ ...about, ce_id: slip.ceId }, 'letter perhaps sent: its notifier died over it');
    return dead('perhaps-sent', detail);
  }
}

/** What becomes of a slip whose letter is somebody else's, or has had its fate. */
function verdictOn({ state, reason }: Standing): Verdict {
  switch (state) {
    case 'sending':
    case 'new':
    case 'queued':
      // Its copy stays about until there is a fate: whoever has the letter now may yet die.
      return again(SOON);
    case 'perhaps-sent':
      // Whoever wrote this may have died before the dead letter was there; once too often is no harm.
      return dead('perhaps-sent', reason ?? '');
    case 'refused':
      return dead('refused', reason ?? '');
    case 'sent':
    case 'addressless':
      return { kind: 'done' };
  }
}

function whatNext({ outcome, detail }: HandedOver, { tries, ageMs }: Claimed): { state: 'queued' | 'sent' | 'refused' | 'perhaps-sent'; verdict: Verdict; triedMore?: boolean } {
  switch (outcome) {
    case 'sent':
      return { state: 'sent', verdict: { kind: 'done' } };
    case 'perhaps':
      return { state: 'perhaps-sent', verdict: dead('perhaps-sent', detail) };
    case 'never':
      return { state: 'refused', verdict: dead('refused', detail) };
    case 'not-now': {
      const delay = DELAYS_MS[tries];
      if (delay === undefined) return { state: 'refused', verdict: dead('gave-up', detail) };
      return { state: 'queued', verdict: again(delay), triedMore: true };
    }
    case 'away':
      // Whatever hits every letter must not use up the tries of this one.
      if (ageMs > WAITS_AT_MOST_MS) return { state: 'refused', verdict: dead('gave-up', detail) };
      return { state: 'queued', verdict: again(delayFor(ageMs)) };
  }
}

/** A young letter is tried soon again, an old one rarely: each wait is about as long as all before it. */
function delayFor(ageMs: number): DelayMs {
  return DELAYS_MS.find((delayMs) => ageMs < 10 * delayMs) ?? LATE;
}

function again(afterMs: DelayMs): Verdict {
  return { kind: 'again', afterMs };
}

function dead(reason: DeadReason, detail: string): Verdict {
  return { kind: 'dead', reason, detail };
}

const REASON_MAX = 1_000;
