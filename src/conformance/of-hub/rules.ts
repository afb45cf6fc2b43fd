import type { Rule } from '../rule.js';
import { CHANNEL } from './rules-channel.js';
import { COMMANDS } from './rules-commands.js';
import { POLLS } from './rules-polls.js';
import { STANDBY } from './rules-standby.js';
import { TOLD } from './rules-told.js';
import type { HubStage } from './stage.js';

/** What a hub is tried by, in this order. */
export const HUB_RULES: readonly Rule<HubStage>[] = [...CHANNEL, ...STANDBY, ...COMMANDS, ...TOLD, ...POLLS];
