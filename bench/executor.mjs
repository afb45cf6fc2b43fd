/** What a broker is to Fairlead: does the work at the other end of a WebSocket. Each message is a list of jobs. */
import { WebSocket } from 'ws';
import { answerParent } from './child.mjs';

let socket;

answerParent({
  async connect(url) {
    socket = new WebSocket(url, { perMessageDeflate: false });
    socket.on('message', (data) => {
      const jobs = JSON.parse(data.toString('utf8'));
      socket.send(JSON.stringify(jobs.map(({ id }) => ({ id, body: { time: new Date().toISOString() } }))));
    });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  },
  end: () => socket?.terminate(),
});
