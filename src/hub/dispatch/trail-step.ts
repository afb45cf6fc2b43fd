/**
 * A step of a trail as the hot path writes it: an expression that gives the text of a JSON object, put together from
 * words that need no escaping, since building jsonb costs several times as much.
 *
 * @param parts expressions, constants of the caller: of the state's word, of the replica's uuid, and of numbers
 */
export function step(parts: { state: string; replica: string; epoch?: string; attempt?: string }): string {
  const { state, replica, epoch, attempt } = parts;
  const numbers = [
    ...(epoch === undefined ? [] : [`'","epoch":' || ${epoch}`]),
    ...(attempt === undefined ? [] : [`',"attempt":' || ${attempt}`]),
  ];
  const rest = numbers.length === 0 ? `'"}'` : `${numbers.join(' || ')} || '}'`;
  return `'{"state":"' || ${state} || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || ${replica} || ${rest}`;
}

/**
 * SQL that appends a step to a trail. Most trails are short, and for them it is a plain concatenation: the function
 * that keeps long ones within their cap is called for those alone, since the server cannot inline it, and in the
 * statements of the hot path its call costs more than the update.
 *
 * @param trail a column; @param text an expression that gives the step's text. Both are constants of the caller.
 */
export function appended(trail: string, text: string): string {
  return `case when cardinality(${trail}) < 64 then ${trail} || (${text}) else append_step(${trail}, (${text})::jsonb) end`;
}

/** A trail as readers take it: a JSON array of its steps. */
export function readable(trail: string): string {
  return `to_jsonb(${trail}::jsonb[])`;
}
