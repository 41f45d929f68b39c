import type { RecordingActivities } from '../workflows/kernel/recording';
import type { AgentActivities } from './agents';
import type { ModelActivities } from './models';
import type { StorageActivities } from './storage';
import type { ValidationActivities } from './validation';

/** Everything that a story can cause. */
export type Activities = RecordingActivities & AgentActivities & ModelActivities & StorageActivities & ValidationActivities;
