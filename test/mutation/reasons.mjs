const BACKLOG = 'src/hub/dispatch/backlog.ts';
const READING = 'src/hub/dispatch/reading.ts';
const WHY = 'src/hub/dispatch/why.ts';
const ADMISSION = 'src/hub/registry/admission.ts';
const PARSE = 'src/protocol/parse.ts';
const READ = 'src/protocol/read.ts';

/** Why a change of a line may survive: `file`, what the line matches, `to` where it is only some changes, the reason. */
export const REASONS = [
  {
    file: BACKLOG,
    line: /^if \(!this\.isReady \|\| room <= 0/,
    reason: 'a short cut: what follows finds nothing to offer in the same cases',
  },
  {
    file: BACKLOG,
    line: /^(if \(row === undefined\) return undefined|if \(sent\?\.attempt !== attempt\))/,
    reason: 'it is asked with what the caller has just been given; otherwise it fails loudly',
  },
  {
    file: 'src/hub/dispatch/waiting.ts',
    line: /isOrdered|this\.ordered|private ordered/,
    reason:
      'a read that goes back meets all rows up to the cursor in order; sorting again is for one that is cut short, and the claim keeps the order of a key in any case',
  },
  {
    file: BACKLOG,
    line: /^const read = this\.reading\.next/,
    reason: 'how much a read that goes back asks for: what it does not reach, the next one does',
  },
  {
    file: BACKLOG,
    line: /^if \(read === undefined\) return undefined/,
    reason: 'what was let go is forgotten one read sooner or later, and the claim decides by the row',
  },
  {
    file: BACKLOG,
    line: /^if \(row\.state === 'pending' && this\.waiting\.size/,
    reason: 'at the edge of what memory holds: a row more or less waits in its table for the next read',
  },
  {
    file: BACKLOG,
    line: /forgetUnseen\(rows, read,|^if \(seq > afterSeq && seq <= last/,
    reason: 'a read that goes back asks for more than memory holds, so it is not cut short before what waits',
  },
  {
    file: BACKLOG,
    line: /^readFailed/,
    reason: 'the test reads by hand; that the read is still due is shown of the reading itself',
  },
  {
    file: BACKLOG,
    line: /orderingKey === null|orderingKey !== null/,
    reason: 'no key is one that nothing else holds',
  },
  {
    file: BACKLOG,
    line: /^if \(this\.waiting\.has\(id\) \|\| this\.out\.has\(id\)\)|^if \(this\.out\.has\(id\)\) this\.letGo/,
    reason: 'letting go of what is not known changes nothing but a set that the next read clears',
  },
  {
    file: BACKLOG,
    line: /^const args = this\.waiting\.size/,
    reason: 'how many arguments memory keeps: those that it does not are read after the claim',
  },
  {
    file: 'src/hub/dispatch/outstanding.ts',
    line: /orderingKey === null|key !== null/,
    reason: 'no key is one that nothing holds',
  },
  {
    file: READING,
    line: /readInFullAt|^if \(isFull\)|SETTLED_AFTER_MS/,
    reason: 'a moment sooner or later: reading more than is due costs time, and finds the same',
  },
  {
    file: READING,
    line: /^if \(!sawAll && last < this\.cursor\)|^if \(this\.wokenMeanwhile <= |^if \(seq <= this\.cursor\)/,
    reason: 'goes back where it need not: the rows are met again, and nothing is missed',
  },
  {
    file: READING,
    line: /^this\.hasMore = true;$/,
    reason: 'going back is a read that is due in itself',
  },
  {
    file: READING,
    line: /^this\.wakes \+= 1;$|^if \(this\.underWay !== undefined\)/,
    reason: 'it is compared for being another, and noted anew when the next read begins',
  },
  {
    file: READING,
    line: /^this\.cursor = Math\.min|^stoppedAt/,
    reason: 'where memory is full the next read is due from the lowest that was not taken in either case',
  },
  {
    file: WHY,
    line: /time !== null && time > now|windowSize !== null &&/,
    reason:
      'nothing is ahead of no time, and no window is never full, in the comparison that follows as well',
  },
  {
    file: WHY,
    line: /\?\? |releaseReason === null|'an unknown time'|'live'/,
    reason: 'words for what the row of such a cause always has',
  },
  {
    file: ADMISSION,
    line: /^if \(this\.closed\) throw/,
    reason: 'there are two looks at the door, before and after the credential, and either turns away',
  },
  {
    file: ADMISSION,
    line: /\?\? ''|authorization = ''/,
    reason: 'a header that is missing and one that says something else are refused alike',
  },
  {
    file: ADMISSION,
    line: /^this\.onSettled = \[\]/,
    reason: 'who has settled is told once more, and minds nothing',
  },
  {
    file: ADMISSION,
    line: /^throw new CodedError|^'Send an access token/,
    reason: 'words for people; programs go by the code',
  },
  {
    file: 'src/hub/registry/link.ts',
    line: /^this\.displacedBy = /,
    reason: 'that there is a newer epoch is what counts, and not which',
  },
  {
    file: 'src/protocol/batches.ts',
    line: /sizeOf: \(item: T\)/,
    reason: 'a size that is no number fits like one of zero',
  },
  { file: PARSE, line: /`\$\{path\}\.body`/, reason: 'any JSON is a body, so no error names the path' },
  {
    file: PARSE,
    line: /of === undefined|'unknown frame type'/,
    reason: 'for the types: what is no string is no member of the table either',
  },
  {
    file: 'src/hub/dispatch/sparse.ts',
    line: /=== true && this\.\w+\.size === 0/,
    reason: 'what is empty is let go for the sake of memory alone',
  },
  {
    file: 'src/hub/dispatch/row-copy.ts',
    line: /^if \(typeof value !== 'object'/,
    reason: 'what is no object has no members, and is no copy for want of them',
  },
  {
    file: 'src/hub/dispatch/quotas.ts',
    line: /drafts\[place\]\?\.projectId|projectId === null \?/,
    reason: 'a statement answers with a row for each draft, and nobody asks for the depth of no project',
  },
  {
    file: 'src/hub/registry/version-floor.ts',
    line: /\?\? \[\]|^if \(major === undefined/,
    reason: 'the pattern finds both numbers or neither',
  },
  { file: READ, line: /typeof value !== 'number'/, reason: 'what is no number is not finite either' },
  { file: READ, line: /key\.slice/, reason: 'a key that is too long was refused on the line before' },
  {
    file: 'src/protocol/traceparent.ts',
    line: /value\.length <= 64/,
    reason: 'a cap before the pattern, which takes nothing so long',
  },
  {
    file: BACKLOG,
    line: /^if \(this\.unsent\.size === 0 \|\|/,
    to: /^false$/,
    reason: 'a short cut: of nothing that is unsent nothing is sent',
  },
  {
    file: BACKLOG,
    line: /^const kept = this\.unsent\.size > 0 \?/,
    to: /^(true|this\.unsent\.size >= 0)$/,
    reason: 'where nothing is unsent all of the room is left, which is one at least by then',
  },
  {
    file: BACKLOG,
    line: /REFUSED_REST_MS/,
    reason: 'a moment sooner or later: the rows are read again, and the claim decides',
  },
  {
    file: BACKLOG,
    line: /^if \(state === 'claimed' && this\.reserved/,
    reason: 'what room is kept for was not sent, and so does not run',
  },
  {
    file: BACKLOG,
    line: /sentAt: -Infinity/,
    reason: 'when it went out is noted as it goes out',
  },
  {
    file: READING,
    line: /^if \(this\.hasMore \|\| this\.againFrom/,
    reason: 'a read that goes back is due, and meets what was passed in between',
  },
  {
    file: 'src/hub/registry/admission-budget.ts',
    line: /this\.random\(\) < 0\.5/,
    reason: 'which of two seconds one in the very middle is given',
  },
  {
    file: 'src/hub/registry/pace.ts',
    line: /this\.current < goal/,
    to: /<=/,
    reason: 'who is there already takes no step either way',
  },
  {
    file: READ,
    line: /shape|^\{ type: |^type: '|^required: |^properties: |^propertyNames|KEPT_PATTERN|^const isPlain|takesAbsence|^true,$|, true\);$/,
    reason: 'words of docs/asyncapi.json, which is made of them: `npm run asyncapi:check` compares it',
  },
  {
    file: READ,
    line: /return reader\(\{|= reader\(\{|^const short|\}, \(value, path\)/,
    to: /^(\{\}|\[\]|"")$/,
    reason: 'words of docs/asyncapi.json, as above',
  },
  { file: READ, line: /path === ''/, reason: 'where an error stands, for people' },
  {
    file: READ,
    line: /^if \(of === undefined\)/,
    reason: 'for the types: the word was found to be one of the table on the line before',
  },
  {
    file: PARSE,
    line: /^\.\.\.told\.shape|^\{$|^anyOf: \[|^\{ required: |^\{ type: 'string'|^const digest = |^const t = read\.reader/,
    reason: 'words of docs/asyncapi.json, which is made of them: `npm run asyncapi:check` compares it',
  },
  { file: PARSE, line: /^return of\(raw, ''\)/, reason: 'where an error stands, for people' },
  {
    file: WHY,
    line: /^OFFLINE\[state === /,
    to: /^true$/,
    reason: 'what is neither waits, since what has ended has words of its own',
  },
];
