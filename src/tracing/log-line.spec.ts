import { describe, expect, it } from '@jest/globals';
import { readLine } from './log-line.js';

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const lineOf = (fields: object) => readLine(`${JSON.stringify(fields)}\n`);

describe('a line of the log', () => {
  it('is a record with its time, its severity, what it says, and its other fields as they are named', () => {
    const line = lineOf({
      level: 30,
      time: 1_700_000_000_123,
      replica: 'hub-1',
      context: 'http',
      status: 404,
      msg: 'answered',
    });

    expect(line).toEqual({
      timeMs: 1_700_000_000_123,
      severity: { number: 9, text: 'info' },
      body: 'answered',
      attributes: { replica: 'hub-1', context: 'http', status: 404 },
      traceparent: undefined,
    });
  });

  it.each([
    [10, 1, 'trace'],
    [20, 5, 'debug'],
    [30, 9, 'info'],
    [40, 13, 'warn'],
    [50, 17, 'error'],
    [60, 21, 'fatal'],
    [35, 9, 'info'],
    [5, 1, 'trace'],
  ])('of level %d has the severity %d, %s', (level, number, text) => {
    expect(lineOf({ level, time: 1, msg: '' })?.severity).toEqual({ number, text });
  });

  it('has an error under the names that OpenTelemetry has for it, and the rest under the log’s', () => {
    const cause = { type: 'Error', message: 'inner', stack: 'Error: inner' };
    const err = {
      type: 'DatabaseError',
      message: 'refused',
      stack: 'at',
      code: '23514',
      aggregateErrors: [cause],
    };

    expect(lineOf({ level: 50, time: 1, err, msg: 'a request failed' })?.attributes).toEqual({
      'exception.type': 'DatabaseError',
      'exception.message': 'refused',
      'exception.stacktrace': 'at',
      'err.code': '23514',
      'err.aggregateErrors': [cause],
    });
  });

  it('belongs to the trace that it names, and keeps as a field what names none', () => {
    const named = lineOf({ level: 30, time: 1, msg: '', traceparent: TRACE });
    const broken = lineOf({ level: 30, time: 1, msg: '', traceparent: 'of nothing' });

    expect(named).toMatchObject({ traceparent: TRACE, attributes: {} });
    expect(broken).toMatchObject({ traceparent: undefined, attributes: { traceparent: 'of nothing' } });
  });

  it.each(['', '{"level":30', '[1]', 'null', '"text"', 'not a line'])('is not this: %j', (text) => {
    expect(readLine(text)).toBeUndefined();
  });
});
