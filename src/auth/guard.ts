import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { headerId } from '../api/correlation';
import type { Needs } from '../api/roles';
import { FazendaError } from '../errors';
import { tokenOf, type Authenticator } from './authenticator';
import { keptTo, mayDo, rememberCaller } from './caller';

/**
 * What stands before a route: nothing where nobody is asked, else one handler that finds out who calls and turns
 * away whoever may not. It stands before the body is read.
 *
 * Where the API listens on loopback alone, only an admin is asked who he is. Beyond it, everyone is: a route for
 * anyone then takes any good token, and none at all only where the setting ANYONE_NEEDS_TOKEN is false.
 */
export function guardsOf(authenticator: Authenticator, anyoneNeedsToken: boolean): (needs: Needs) => RequestHandler[] {
  return (needs) => {
    const asked = authenticator.always ? needs !== 'anyone' || anyoneNeedsToken : needs === 'admin';
    return asked ? [guard(authenticator, needs)] : [];
  };
}

function guard(authenticator: Authenticator, needs: Needs): RequestHandler {
  return async (request: Request, _response: Response, next: NextFunction): Promise<void> => {
    const caller = await authenticator.identify(tokenOf(request));
    if (!mayDo(caller, needs)) {
      const held = caller.role ? `the token is a ${caller.role}'s` : 'the token gives no role';
      throw new FazendaError('FZ_FORBIDDEN', `${held}, and this needs ${needs}`, { bearer: 'insufficient_scope', scope: needs });
    }
    const only = keptTo(caller);
    const named = headerId(request, 'x-user-id');
    if (only !== undefined && named !== undefined && named !== only) throw new FazendaError('FZ_FORBIDDEN', `x-user-id is not ${only}, who sends this`);
    rememberCaller(request, caller);
    next();
  };
}
