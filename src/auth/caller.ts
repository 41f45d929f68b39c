import type { IncomingMessage } from 'node:http';
import { ROLES, type Needs, type Role } from '../api/roles';

/** Who calls, as a token says, or as being on the machine says where no token is asked for. */
export interface Caller {
  /** Undefined where a token is good and gives no role that we know: it opens nothing but what is for anyone. */
  readonly role: Role | undefined;
  /** The name that the caller submits under, and is remembered by. Never the token itself. */
  readonly subject: string;
  /** When the token ends, ms since 1970; undefined where it does not. */
  readonly expiresAt?: number;
}

/** Whoever is on the machine, while the API listens on loopback alone: all but what needs an admin. */
export const LOCAL: Caller = { role: 'operator', subject: 'anyone' };

/** Each role may do what those before it may. */
export function mayDo({ role }: Caller, needs: Needs): boolean {
  return needs === 'anyone' || (role !== undefined && ROLES.indexOf(role) >= ROLES.indexOf(needs));
}

/**
 * The subject that a caller's objects must belong to; undefined for those who see the objects of all. Submitters
 * are kept to their own, although viewers, whom a route asks less of, see everything: they only look.
 */
export function keptTo({ role, subject }: Caller): string | undefined {
  return role === 'submitter' ? subject : undefined;
}

const callers = new WeakMap<IncomingMessage, Caller>();

/** Says who a request is from; whoever answers it finds it with `callerOf`. */
export function rememberCaller(request: IncomingMessage, caller: Caller): void {
  callers.set(request, caller);
}

/** The name that a caller is remembered by in what it changes: `x-user-id`, else that of its token; undefined where it gave neither. */
export function nameOf(request: IncomingMessage, userId: string | undefined): string | undefined {
  return userId ?? callers.get(request)?.subject;
}

/** Who a request is from: by its token where one was looked at, else whoever is on the machine. */
export function callerOf(request: IncomingMessage): Caller {
  return callers.get(request) ?? LOCAL;
}
