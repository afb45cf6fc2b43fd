import { Injectable, Logger } from '@nestjs/common';
import { Loop, type LoopOptions, type LoopReport } from './loop.js';

/** All background loops of this process, so that health can report on each of them. */
@Injectable()
export class Loops {
  private readonly loops: Loop[] = [];
  private readonly log = new Logger('loop');

  /** A loop whose faults are logged and that stands in the health report. Not started yet. */
  make(options: Omit<LoopOptions, 'onFault'>): Loop {
    const loop = new Loop({
      ...options,
      onFault: (error, name) =>
        this.log.warn({ loop: name, err: error }, 'a turn failed; it will be tried again'),
    });
    this.loops.push(loop);
    return loop;
  }

  report(): LoopReport[] {
    return this.loops.map((loop) => loop.report());
  }
}
