import type { Client } from '@temporalio/client';
import type { Config } from '../src/config';
import type { Hint } from '../src/facts/hint';
import type { Queryable } from '../src/facts/postgres';
import { factsOfMany, mailOf } from '../src/facts/read';
import { keyOfTelling, tellFacts, type Telling } from '../src/facts/tell';
import { timed } from '../src/outside';
import { startOwnWorkflow } from '../src/temporal/start';
import { domainNamed } from '../workflows/domains';
import type { AnyState, Placed } from '../workflows/kernel/lifecycle';
import type { Opened, Proposal, Recorded, RecordingActivities } from '../workflows/kernel/recording';
import { groupById, refill, storedInstead } from './stored';

export interface FactDeps {
  readonly config: Config;
  readonly db: Queryable;
  readonly temporal: Client;
  /** Called after facts were stored, so that the relay need not wait for its next look. */
  readonly hint: Hint;
}

/** Half of the 2 MiB at which a Temporal server terminates the workflow of a local activity's answer. */
const OPENED_BYTES_MAX = 1024 * 1024;

export function factActivities({ config, db, temporal, hint }: FactDeps): RecordingActivities {
  return {
    async recordFacts(domainName, all) {
      const domain = domainNamed(domainName);
      const lost = await refill(db, domain, all);
      const proposals = lost.size === 0 ? all : all.filter(({ id }) => !lost.has(id));
      const told = await timed('postgres', 'record', () => tellFacts(db, domain, proposals.map(tellingOf), hint));
      if (told.stored.size === all.length) return 'yours';
      const others = proposals.filter(({ id, fact }) => !told.stored.has(keyOfTelling({ id, fact })));
      const stored = await storedInstead(db, domain, others);
      return all.map((proposal): Recorded => {
        const { id, version } = proposal;
        if (lost.has(id)) return { id, version, outcome: 'lost' };
        const key = keyOfTelling(proposal);
        if (told.stored.has(key)) return { id, version, outcome: 'yours' };
        const reason = told.refused.get(key);
        if (reason) return { id, version, outcome: 'refused', reason };
        return stored.get(id) ?? { id, version, outcome: 'lacking', has: 0 };
      });
    },

    async openStories(domainName, ids) {
      const domain = domainNamed(domainName);
      const facts = groupById(await factsOfMany(db, domainName, ids.map((id) => ({ id, version: 1 }))));
      const mail = await mailOf(db, domainName, ids);
      const limits = domain.limits(config.domainSettings[domainName] ?? {});
      const opened: Opened<unknown>[] = [];
      let bytes = 0;
      for (const id of ids) {
        const one = { id, version: 1, facts: facts.get(id) ?? [], mail: mail.get(id) ?? [], limits };
        bytes += Buffer.byteLength(JSON.stringify(one));
        if (opened.length > 0 && bytes > OPENED_BYTES_MAX) break;
        opened.push(one);
      }
      return opened;
    },

    async startOwnWorkflows(domainName, ids) {
      const domain = domainNamed(domainName);
      const first = await factsOfMany(db, domainName, ids.map((id) => ({ id, version: 1 })));
      const starts = first.filter((fact) => fact.version === 1);
      await Promise.all(starts.map((fact) => startOwnWorkflow(temporal, config, domain, fact)));
    },
  };
}

function tellingOf({ id, fact, after, causedBy }: Proposal): Telling {
  return { id, fact, after: after as Placed<AnyState>, ...(causedBy && { causedBy }) };
}
