import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LIMITS } from '../../src/protocol/limits.js';
import { Cluster } from '../support/cluster.js';
import { ScriptedBroker } from '../support/scripted-broker.js';

describe('commands with large arguments', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(1);
  });

  afterAll(() => cluster.stop());

  it('travel in frames that a broker takes, by their bytes and not by their characters', async () => {
    const broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    // Three bytes a character: six of them are less than a frame by the one measure, and more by the other.
    const args = { text: '\u8a9e'.repeat(68_000) };
    for (let count = 0; count < 6; count += 1) {
      const body = { op: 'broker.ping', args, orderingKey: null };
      const { status } = await cluster.api(0).post(`/api/v1/brokers/${broker.id}/dispatches`, body);
      expect(status).toBe(202);
    }

    const link = await broker.connect(cluster.hub(0).url);
    const sizes: number[] = [];
    for (let taken = 0; taken < 6;) {
      const frame = await link.next('dispatch');
      taken += frame.dispatches.length;
      sizes.push(Buffer.byteLength(JSON.stringify(frame)));
    }
    await link.close();

    expect(sizes.length).toBeGreaterThan(1);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(LIMITS.frameBytes);
  });
});
