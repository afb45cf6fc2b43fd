const KIB = 1024;

/** Caps of the control channel. Sizes are bytes of the encoded text. */
export const LIMITS = {
  /** Largest frame either side may send. */
  frameBytes: 1024 * KIB,
  /** Largest frame before the hub has seen a hello. */
  helloBytes: 16 * KIB,
  /** Largest arguments of one command. */
  argsBytes: 256 * KIB,
  /** Largest result body or error of one command. */
  resultBytes: 256 * KIB,
  /** Largest text of one message to an agent. */
  messageTextBytes: 64 * KIB,
  /** Largest window of unacknowledged dispatches a broker may ask for. */
  windowMax: 1024,
  windowDefault: 64,
  /** Entries of one inventory chunk. */
  inventoryChunk: 1000,
  /** Entries of all chunks of one inventory: a broker that has more out is not one that the hub gave them to. */
  inventoryEntries: 100_000,
  /** Agents of one list, all of its frames together. */
  agents: 20_000,
  /** Largest body of a poll, and of its answer: one frame of the largest size at least. */
  pollBytes: 2 * 1024 * KIB,
  /** Items of one ack, progress, result, event or dispatch frame. */
  batch: 1024,
  /** Labels of a broker, and the length of one key or value. */
  labels: 64,
  labelLength: 128,
  /** Names of capabilities and their count. */
  capabilities: 128,
  /**
   * The greatest `lastEpoch` or `revision` that a broker is believed where the hub has it not on record. The hub counts on from what it
   * believes, and numbers of JSON are exact to 2^53 alone: from here it never comes there.
   */
  believedMost: 2 ** 48,
  /** Any short text: reasons, versions, codes. */
  textLength: 512,
  /** A note on how far a command is, in characters. */
  progressNoteLength: 512,
  /** A message that goes with an error or an agent's detail. */
  messageLength: 4096,
  /** Buffered bytes to a peer that does not read, past which it is closed. */
  bufferedBytes: 8 * 1024 * KIB,
} as const;

/** Characters of a failure's code; each code that the hub or a broker of its own makes is far shorter. */
export const CODE_LENGTH = 128;

/** Times of the control channel, in milliseconds. */
export const TIMES = {
  helloWithinMs: 5_000,
  heartbeatMs: 15_000,
  /** The hub writes the progress of one command at most this often; a broker need not tell it more often. */
  progressMs: 1_000,
  pingMs: 15_000,
  /** Pings without an answer before the link is cut. */
  unansweredPings: 2,
  /** A poll that has nothing to answer is held this long. */
  pollHoldMs: 25_000,
  /** A channel of polls to which none has come for this long is closed, also where the last one was held meanwhile. */
  pollLeaseMs: 60_000,
  /** A broker that heard nothing from the hub for this long begins nothing new. */
  livenessMs: 45_000,
  /** A link displaced by its own broker's newer one is read for this long. */
  displacedLingerMs: 10_000,
  reconnectBaseMs: 1_000,
  reconnectCapMs: 60_000,
  /** A link that lasted this long resets the reconnect backoff. */
  goodLinkMs: 30_000,
} as const;
