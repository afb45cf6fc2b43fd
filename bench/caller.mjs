/** Load from outside: a process of HTTP clients, their connections spread over the addresses that they are given. */
import { answerParent } from './child.mjs';
import { HttpConnection } from './http-client.mjs';
import { drive } from './load.mjs';

answerParent({
  /** @param {{ requests: { url: string, text: string, expected: string }[] }} asked one for each address */
  async measure({ requests, ...load }) {
    const connections = await Promise.all(
      Array.from({ length: load.inFlight }, async (_unused, index) => {
        const request = requests[index % requests.length];
        return { request, connection: await HttpConnection.open(request.url) };
      }),
    );
    const idle = [...connections];
    try {
      return await drive(async () => {
        const own = idle.pop();
        const { status, body } = await own.connection.ask(own.request.text);
        if (status !== 200 || !body.includes(own.request.expected)) {
          throw new Error(`${own.request.url} answered ${status}: ${body}`);
        }
        idle.push(own);
      }, load);
    } finally {
      for (const { connection } of connections) connection.close();
    }
  },
});
