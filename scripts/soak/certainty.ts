import { codeOf, IN_DOUBT, NOT_NOW, type Told } from './caller.js';
import type { Answer } from './record.js';

/** What the answers to the tries of one command leave its client sure of, as long as none of them accepts it. */
export class Certainty {
  private wasCut = false;
  private wasInDoubt = false;
  /** Whether any try may have been stored. */
  private isOpen = false;
  /**
   * When a hub last said for certain that it had stored nothing, and no try before that could have been stored either, so that the
   * command can only be on record since then: milliseconds since 1970.
   */
  refusedMs: number | undefined;

  /** @param told undefined where there was no answer */
  hear(told: Pick<Told, 'status' | 'text'> | undefined): void {
    if (told === undefined) this.wasCut = this.isOpen = true;
    else this.refused(told.status, codeOf(told.text));
  }

  refused(status: number, code: string): void {
    if (code === IN_DOUBT) this.wasInDoubt = true;
    if (code === IN_DOUBT || !NOT_NOW.has(status)) this.isOpen = true;
    else if (!this.isOpen) this.refusedMs = Date.now();
  }

  /** What is left to its client to say of a command that no try of its has accepted. */
  get ending(): Pick<Answer, 'state' | 'cut'> {
    if (this.wasCut) return { state: 'unknown', cut: true };
    // Each answer to a whole request said for certain that it was not taken, or that nobody knew.
    return { state: this.wasInDoubt ? 'unknown' : 'refused' };
  }
}
