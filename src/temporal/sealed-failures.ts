import { DefaultFailureConverter } from '@temporalio/common';

/** Puts messages and stack traces of failures where the codec seals them. The SDK loads it by its path and this name. */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
