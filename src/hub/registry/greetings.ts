import { Injectable } from '@nestjs/common';

/** The hellos that came and are not answered yet. A channel on which none came costs nothing, and is none of them. */
@Injectable()
export class Greetings {
  private count = 0;

  get unanswered(): number {
    return this.count;
  }

  /** Counts a hello while it is answered. */
  async during(answer: Promise<void>): Promise<void> {
    this.count += 1;
    try {
      await answer;
    } finally {
      this.count -= 1;
    }
  }
}
