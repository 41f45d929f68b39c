/** Every bound of the live door in one place, so that none is forgotten and all are documented. */
export const LIVE_LIMITS = {
  /** A client has nothing to say but what it wants to follow. */
  clientMessageBytesMax: 4_096,
  /** Stories that one Socket.IO connection follows at once. */
  subscriptionsPerSocketMax: 100,
  /** Connections of both kinds that one gateway holds. */
  socketsMax: 10_000,
  /** What may wait, unsent, for one plain WebSocket before it counts as too slow. */
  sendBufferBytesMax: 1_048_576,
  /** The same for one Socket.IO connection, whose buffer is counted in packets. */
  sendBufferPacketsMax: 10_000,
  pingEveryMs: 20_000,
  /** A client that is told to go has this long to answer before it is cut off. */
  goodbyeMs: 2_000,
  /** A story is looked up this often although nothing hinted at it, in case a hint was lost. */
  recheckEveryMs: 30_000,
  /** Waiting between two tries to load a story, first and longest. */
  retryFirstMs: 100,
  retryMostMs: 5_000,
  /** How often a version that was hinted at and is not stored yet is looked for before the next recheck. */
  absentTriesMax: 10,
} as const;

export type LiveLimits = { readonly [Name in keyof typeof LIVE_LIMITS]: number };
