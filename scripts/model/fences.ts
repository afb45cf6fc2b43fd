/**
 * What keeps the promises, each with a name by which it can be taken out of the model: the exploration must then find how
 * a promise breaks. The statements of the hub have the same fences, which are taken out of them by `npm run test:fences`.
 *
 * `fault` says what happens without it, `scope` where that is found.
 */
export const FENCES = {
  'claim under the epoch on record': {
    fault: 'a replica that was displaced claims as if it still held the broker',
    scope: 'failures and a move',
  },
  'claim of what is pending': { fault: 'what is out is claimed once more', scope: 'failures and a move' },
  'key rule': {
    fault: 'a command goes out while an earlier one of its key is out or waits',
    scope: 'two of a key, a failure',
  },
  'ack of its attempt': {
    fault: 'a late ack of an earlier attempt counts for the one that waits',
    scope: 'two of a key, a failure',
  },
  'result of its attempt': {
    fault: 'a late result of an earlier attempt ends, or puts back, the one that is out',
    scope: 'two of a key, a failure',
  },
  'result of what is out': { fault: 'a result ends what has ended', scope: 'two of a key, a failure' },
  'inventory under the epoch on record': {
    fault: 'an old inventory judges what went out since',
    scope: 'failures and a move',
  },
  'inventory of the same journal': {
    fault: 'what a lost journal does not know counts as never begun',
    scope: 'a lost journal, after a move',
  },
  'lost is not running': {
    fault: 'what was begun and lost is taken for running',
    scope: 'two of a key, the broker dies',
  },
  'release under its epoch': {
    fault: 'the end of an old link takes the broker from its new owner',
    scope: 'two of a key, the broker dies',
  },
  'owners hold through deaths': {
    fault: 'the death of a replica puts back what it had sent',
    scope: 'two of a key, a replica dies',
  },
  'confirm after the ending': {
    fault: 'a result is confirmed before it is on record',
    scope: 'two of a key, a failure',
  },
  'cancel waits for the broker': {
    fault: 'what is out is cancelled without the broker’s word',
    scope: 'a cancel and a failure',
  },
  'no retry of what was given up': {
    fault: 'what was given up goes out again after a failure',
    scope: 'a cancel and a failure',
  },
  'no requeue of what was given up': {
    fault: 'what was given up and never begun goes out again',
    scope: 'a cancel and a move',
  },
  'claim on the link that it is bound to': {
    fault: 'what is bound to a link goes out on the next one',
    scope: 'bound to its link, a failure and a cut',
  },
  'lapse of what is pending': {
    fault: 'what is out ends with the link that it is bound to, without the broker’s word',
    scope: 'bound to its link, a move',
  },
  'supersede of what is pending': {
    fault: 'a later command takes the place of one that is out',
    scope: 'two of a key, the later takes the place, a move',
  },
  'no repeat of what was given up': {
    fault: 'what was given up, begun and lost goes out again, since it may be repeated',
    scope: 'repeatable, a cancel, and the broker dies',
  },
  'claim before the deadline': {
    fault: 'what is past its deadline goes out',
    scope: 'two of a key, a deadline',
  },
  'begin before the deadline': {
    fault: 'the broker begins what is past its deadline',
    scope: 'two of a key, a deadline',
  },
  'unknown after the deadline': {
    fault: 'what is out at its deadline is told as never done',
    scope: 'two of a key, a deadline',
  },
  'journal before acting': {
    fault: 'the broker acts before its journal has it',
    scope: 'two of a key, the broker dies',
  },
  'recover before the first link': {
    fault: 'what the broker goes on with after its death is told as lost before',
    scope: 'recoverable, two of a key, the broker dies',
  },
  'endings are kept': {
    fault: 'the broker forgets an ending once it was told, and not once it was confirmed',
    scope: 'two of a key, a failure',
  },
  'attempts only grow': {
    fault: 'a late repeat of an earlier attempt counts as the one that is out',
    scope: 'failures and a move',
  },
  'begin on the newest link': { fault: 'new work on an older link is begun', scope: 'failures and a move' },
  tombstones: {
    fault: 'a cancel that comes before its command leaves no mark',
    scope: 'a cancel and a failure',
  },
} as const;

export type Fence = keyof typeof FENCES;

export const ALL_FENCES = Object.keys(FENCES) as Fence[];
