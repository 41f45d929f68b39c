/** The bundle's entry: every workflow that a worker can run. */
export { contentWorkflow } from './content/workflow';
export { orderLane, orderWorkflow } from './order/workflow';
