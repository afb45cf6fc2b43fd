/** SQL for the error of a command whose deadline passed. @param message a sentence of the caller's, without quotes */
function deadlinePassed(message: string, effect: 'none' | 'unknown'): string {
  return `jsonb_build_object('code', 'deadline_passed', 'message', '${message}',
                                     'retryable', false, 'data', jsonb_build_object('effect', '${effect}'))`;
}

export const PASSED_BEFORE_BEGUN = deadlinePassed('The deadline passed before it was begun.', 'none');
export const PASSED_BEFORE_AGAIN = deadlinePassed('The deadline passed before it was done again.', 'unknown');
