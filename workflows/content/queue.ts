/** The queue of the agents, where rate and concurrency of model calls are set; its name is a contract. */
export const GENERATOR_QUEUE = 'content-generator';
