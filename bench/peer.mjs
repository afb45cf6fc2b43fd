import { Child } from './child.mjs';

/**
 * A side that Fairlead is measured against: a process that submits and learns results, one that works jobs off, and
 * one that executes them at the other end of a WebSocket; as many as Fairlead has.
 */
export class Peer {
  /** @param {string} name its folder here; also its side in the tables */
  static async start(name, server) {
    const peer = new Peer();
    peer.name = name;
    const url = await server.makeDatabase(name.replaceAll('-', '_'));
    peer.submitter = new Child(`${name}/submitter.mjs`);
    peer.worker = new Child(`${name}/worker.mjs`);
    peer.executor = new Child('executor.mjs');
    await peer.submitter.ask('open', url);
    await peer.executor.ask('connect', await peer.worker.ask('open', url));
    return peer;
  }

  measure(load) {
    return this.submitter.ask('measure', load);
  }
}
