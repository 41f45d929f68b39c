import { domains } from '../../../workflows/domains';
import type { Domain } from '../../../workflows/kernel/definition';
import { steps } from './definition';

/** Imported before anything that loops over the domains: makes the benchmark's job one of them, in this process only. */
(domains as Domain[]).push(steps);
