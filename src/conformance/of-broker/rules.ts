import type { Rule } from '../rule.js';
import { CHANNEL } from './rules-channel.js';
import { COMMANDS } from './rules-commands.js';
import { ENDS } from './rules-ends.js';
import { MOVING } from './rules-moving.js';
import { OPENING } from './rules-opening.js';
import { POLLING } from './rules-polling.js';
import { RESTARTS } from './rules-restarts.js';
import { STANDBY } from './rules-standby.js';
import type { BrokerStage } from './stage.js';

/** What a broker is tried by, in this order: what leaves it waiting comes last. */
export const BROKER_RULES: readonly Rule<BrokerStage>[] = [
  ...OPENING,
  ...CHANNEL,
  ...COMMANDS,
  ...MOVING,
  ...STANDBY,
  ...POLLING,
  ...RESTARTS,
  ...ENDS,
];
