import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { openLogExport, type LogExport } from './log-export.js';
import { LINE_MOST } from './log-line.js';

const PROGRAM = { name: 'a-program', version: '1.2.3' };
const SETTINGS = {
  protocol: 'http/json',
  queueMost: 3,
  batchMost: 2,
  delayMs: 5,
  exportWithinMs: 5_000,
} as const;
const VARIABLE = 'OTEL_EXPORTER_OTLP_LOGS_ENDPOINT';

describe('the export of a log', () => {
  let server: Server;
  let status: number | 'none' = 200;
  const held: ServerResponse[] = [];
  const bodies: string[] = [];
  const told: { lost: number; reason: string }[] = [];
  let logExport: LogExport;

  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (part: Buffer) => (body += part.toString()));
      request.on('end', () => {
        bodies.push(body);
        if (status === 'none') held.push(response);
        else response.writeHead(status).end('{"of":"theirs"}');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    process.env[VARIABLE] = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/logs`;
  });

  afterEach(async () => {
    for (const response of held.splice(0)) response.end('{}');
    await logExport.close(5_000);
    status = 200;
    bodies.splice(0);
    told.splice(0);
  });

  afterAll(async () => {
    delete process.env[VARIABLE];
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  });

  const open = async (): Promise<LogExport> => {
    const opened = await openLogExport(SETTINGS, PROGRAM, (each) => {
      told.push(each);
      logExport.write(lineOf('records are lost'));
    });
    if (opened === undefined) throw new Error('it is not open');
    logExport = opened;
    return opened;
  };
  const lineOf = (msg: string) => `${JSON.stringify({ level: 30, time: 1_700_000_000_000, msg })}\n`;

  it('is not opened where nobody asked for it', async () => {
    await open();

    expect(await openLogExport(null, PROGRAM, () => undefined)).toBeUndefined();
  });

  it('sends all that waits when it is closed, in batches, and takes nothing from then on', async () => {
    const log = await open();
    for (const msg of ['one', 'two', 'three']) log.write(lineOf(msg));

    await log.close(5_000);
    log.write(lineOf('too late'));

    expect(bodies.length).toBeGreaterThan(1);
    for (const msg of ['one', 'two', 'three']) expect(bodies.join('\n')).toContain(`"${msg}"`);
    expect(log.lost).toBe(0);
  });

  it('holds so many records at most for a collector that does not answer, and is closed in time', async () => {
    status = 'none';
    const log = await open();
    for (const msg of ['one', 'two', 'three', 'four', 'five']) log.write(lineOf(msg));
    const lostMeanwhile = log.lost;
    const began = performance.now();

    await log.close(50);

    expect(performance.now() - began).toBeLessThan(3_000);
    expect(lostMeanwhile).toBe(2);
    expect(log.lost).toBe(5);
  });

  it('tells of what is lost once, in a line that is neither exported nor lost itself', async () => {
    status = 'none';
    const log = await open();

    for (const msg of ['one', 'two', 'three', 'four', 'five', 'six']) log.write(lineOf(msg));

    expect(told).toEqual([{ lost: 1, reason: 'queue_full' }]);
    expect(log.lost).toBe(3);
    for (const response of held.splice(0)) response.end('{}');
    status = 200;
    await log.close(5_000);
    expect(bodies.join('\n')).not.toContain('records are lost');
  });

  it('takes a line as long as a line may be, and none that is longer', async () => {
    const log = await open();
    const most = lineOf('x'.repeat(LINE_MOST - lineOf('').length));

    log.write(most);
    const lostOfMost = log.lost;
    log.write(`${most} `);

    expect(most).toHaveLength(LINE_MOST);
    expect(lostOfMost).toBe(0);
    expect(told).toEqual([{ lost: 1, reason: 'line_too_long' }]);
  });

  it('counts what is no line as lost, and makes room for the next', async () => {
    const log = await open();
    for (let count = 0; count < 5; count += 1) log.write('no line of a log\n');

    log.write(lineOf('a line'));
    await log.close(5_000);

    expect(log.lost).toBe(5);
    expect(told).toEqual([{ lost: 1, reason: 'line_unreadable' }]);
    expect(bodies.join('\n')).toContain('"a line"');
  });

  it('says by code alone why a collector took nothing', async () => {
    status = 400;
    const log = await open();

    log.write(lineOf('one'));
    await log.close(5_000);

    expect(told).toEqual([{ lost: 1, reason: '400' }]);
  });
});
