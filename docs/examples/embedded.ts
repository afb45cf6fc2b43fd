/**
 * The hub's own broker within a program: journal, reconnects and order are its business, what is done is this program's.
 *
 *     HUB_URL=http://127.0.0.1:8080 JOIN_TOKEN=... node embedded.js <folder>     without the token from the second time on
 *
 * It counts words, and learns to build reports when it is told to load them.
 */
import { Broker, OpFailure, ownOp, type JsonObject } from 'fairlead/broker';

const home = process.argv[2] ?? 'broker';

/** Arguments come as any JSON: `read` checks them, and what it gives is what `handle` takes. */
const count = ownOp('x.words.count', {
  read: ({ text }: JsonObject): string => {
    if (typeof text !== 'string') throw new Error('text must be a string');
    return text;
  },
  handle: (text) => ({ words: text.split(/\s+/).filter((word) => word !== '').length }),
  // Nothing comes of it but its answer: after a crash it is done again.
  isRecoverable: true,
});

/** Takes its time, tells how far it is, and stops when its caller gives it up. */
const build = ownOp('x.report.build', {
  read: ({ pages }: JsonObject): number => {
    if (typeof pages !== 'number' || pages > 100) throw new Error('pages must be a number of at most 100');
    return pages;
  },
  handle: async (pages, { progress, signal }) => {
    for (let page = 1; page <= pages; page += 1) {
      if (signal.aborted) throw new OpFailure('cancelled', 'It was given up.');
      await new Promise((resolve) => setImmediate(resolve));
      progress({ fraction: page / pages, note: `page ${page} of ${pages}` });
    }
    return { pages };
  },
});

if (!(await Broker.hasJoined(home))) {
  const { HUB_URL = 'http://127.0.0.1:8080', JOIN_TOKEN = '', BROKER_NAME } = process.env;
  await Broker.join({ home, urls: [HUB_URL], token: JOIN_TOKEN, name: BROKER_NAME });
}

const broker = await Broker.start({
  home,
  ops: [
    count,
    ownOp('x.reports.load', {
      handle: () => {
        // From here on the hub takes `x.report.build` for this broker.
        broker.addOp(build);
        return null;
      },
    }),
  ],
});

process.once('SIGTERM', () => void broker.stop());
await broker.done;
await broker.stop();
