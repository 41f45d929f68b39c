/**
 * Who may call a route. Each role may do what those before it may. `anyone` needs no token at all;
 * `admin` needs one even on loopback.
 */
export const ROLES = ['viewer', 'submitter', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** What a route asks of its caller. */
export type Needs = Role | 'anyone';
