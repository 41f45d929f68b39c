import { content } from './content/definition';
import { order } from './order/definition';
import type { Domain } from './kernel/definition';
import type * as bundle from './index';

/** A domain may name only a workflow that the bundle exports; the compiler checks it. */
type Listed = Omit<Domain, 'workflow' | 'lane'> & { readonly workflow: keyof typeof bundle; readonly lane?: keyof typeof bundle };

/** The one list of domains. Whatever has to be done for each of them loops over this. */
export const domains: readonly Domain[] = [content, order] as const satisfies readonly Listed[];

/** @throws where no domain has this name: a workflow of another installation, or a typing error. */
export function domainNamed(name: string): Domain {
  const found = domains.find((domain) => domain.name === name);
  if (!found) throw new Error(`no domain is named ${name}`);
  return found;
}
