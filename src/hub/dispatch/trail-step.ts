/**
 * SQL that appends a step to a trail. Most trails are short, and for them it is a plain concatenation: the function
 * that keeps long ones within their cap is called for those alone, since the server cannot inline it, and in the
 * statements of the hot path its call costs more than the update.
 *
 * @param trail a column; @param step an expression of the type jsonb. Both are constants of the caller.
 */
export function appended(trail: string, step: string): string {
  return `case when jsonb_array_length(${trail}) < 64 then ${trail} || ${step} else append_step(${trail}, ${step}) end`;
}
