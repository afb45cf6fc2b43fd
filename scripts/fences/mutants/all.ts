import type { Mutant } from '../mutant.js';
import { AGENT } from './agent.js';
import { ATTACHMENT } from './attachment.js';
import { CLAIM } from './claim.js';
import { CREDENTIAL } from './credential.js';
import { ENDING } from './ending.js';
import { INSERT } from './insert.js';
import { INVENTORY } from './inventory.js';
import { OPERATION } from './operation.js';
import { OWNERSHIP } from './ownership.js';
import { PEOPLE } from './people.js';
import { PRESENCE } from './presence.js';
import { PEER } from './peer.js';
import { RATE_BUCKET } from './rate-bucket.js';
import { WORDS } from './words.js';

/** A fault for each fence in the hub's statements. What would show in no row, whatever is done, is none of them. */
export const MUTANTS: readonly Mutant[] = [
  ...INSERT,
  ...CLAIM,
  ...WORDS,
  ...INVENTORY,
  ...ENDING,
  ...OWNERSHIP,
  ...OPERATION,
  ...PEOPLE,
  ...PRESENCE,
  ...AGENT,
  ...ATTACHMENT,
  ...CREDENTIAL,
  ...PEER,
  ...RATE_BUCKET,
];
