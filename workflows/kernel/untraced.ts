/**
 * Loaded once a worker, before any workflow. For the stack-trace query the SDK notes a whole stack for each promise
 * that a workflow makes: measured, half of the CPU of a lane, and an eighth of all that one story costs on its own.
 * A story is a loop over its state, whose trace says little; what it has told so far is in the workflow's details.
 * The SDK's hook asks a promise for the `Function` of its workflow, to see whether it is one of a workflow at all
 * (`getActivator` in its vm-shared; https://github.com/temporalio/sdk-typescript/issues/1587), and is told that it
 * is not. Should the SDK ask otherwise one day, stories are slower, and nothing else.
 */
const ofNoWorkflow = (): undefined => undefined;

Object.defineProperty(Promise, 'constructor', { value: () => ofNoWorkflow });
