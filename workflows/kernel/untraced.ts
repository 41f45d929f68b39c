/**
 * Loaded once a worker, before any workflow. For the stack-trace query, the SDK notes a whole stack for each promise
 * that a workflow makes, which was half of the CPU of a lane of fifty stories, whose trace tells nobody anything.
 * Its hook asks a promise for the `Function` of its workflow, to see whether it is one of a workflow at all
 * (`getActivator` in the SDK's vm-shared; https://github.com/temporalio/sdk-typescript/issues/1587): aboard a lane
 * it is told that it is not. Should the SDK ask otherwise one day, lanes are slower, and nothing else.
 */
interface Sandbox {
  readonly __TEMPORAL_ACTIVATOR__?: { readonly info: { readonly workflowType: string } };
}

const real = Promise.constructor as (code: string) => () => unknown;
const nothing = (): undefined => undefined;

function functionOfPromise(code: string): () => unknown {
  return isLane((globalThis as Sandbox).__TEMPORAL_ACTIVATOR__?.info.workflowType) ? nothing : real(code);
}

/** Lanes are named so, which the type of a domain sees to. */
function isLane(workflowType: string | undefined): boolean {
  return workflowType?.endsWith('Lane') === true;
}

Object.defineProperty(Promise, 'constructor', { value: functionOfPromise });
