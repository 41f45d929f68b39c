import type { Pool } from 'pg';
import type { Logger } from '../src/log';
import { loggedActivities } from '../src/logging/activities';
import { KnownStories } from '../src/logging/known-stories';
import type { ObjectStore } from '../src/storage/s3';
import { tracedActivities } from '../src/tracing/activities';
import type { RecordingActivities } from '../workflows/kernel/recording';
import { agentActivities, type AgentActivities } from './agents';
import { openDrafts } from './drafts';
import { factActivities, type FactDeps } from './facts';
import { modelActivities, type ModelActivities } from './models';
import type { PaymentProvider } from './payment/port';
import { simulatedProvider } from './payment/simulated';
import { paymentActivities, type PaymentActivities } from './payments';
import { stockActivities, type StockActivities } from './stock';
import { storageActivities, type StorageActivities } from './storage';
import { validationActivities, type ValidationActivities } from './validation';

/** Everything that a story can cause. */
export type Activities = RecordingActivities & AgentActivities & ModelActivities & PaymentActivities & StockActivities & StorageActivities & ValidationActivities;

export interface ActivityDeps extends FactDeps {
  readonly db: Pool;
  readonly store: ObjectStore;
  /** Hears of every call, where it goes down to debug. */
  readonly log?: Logger;
  /** Who captures payments; the simulated provider where none is given. */
  readonly payments?: PaymentProvider;
}

/** All of them, each closing over its client; a worker registers those of its queue. */
export function createActivities(deps: ActivityDeps): Activities {
  const drafts = openDrafts(deps.store);
  const traced = tracedActivities({
    ...factActivities(deps),
    ...agentActivities(deps),
    ...modelActivities({ ...deps, drafts }),
    ...paymentActivities({ ...deps, payments: deps.payments ?? simulatedProvider(deps.db) }),
    ...stockActivities(deps),
    ...storageActivities({ ...deps, drafts }),
    ...validationActivities({ ...deps, drafts }),
  }, deps.db);
  return loggedActivities(traced, deps.log, new KnownStories(deps.db));
}
