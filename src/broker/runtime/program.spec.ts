import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isProgram } from './program.js';

describe('a command', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-program-'));
    mkdirSync(join(folder, 'bin', 'folder'), { recursive: true });
    writeFileSync(join(folder, 'bin', 'tool'), '#!/bin/sh\n');
    chmodSync(join(folder, 'bin', 'tool'), 0o755);
    writeFileSync(join(folder, 'bin', 'text'), 'text');
    chmodSync(join(folder, 'bin', 'text'), 0o644);
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  const isFound = (command: string, searchPath = `/nowhere:${folder}/bin`) =>
    isProgram(command, folder, searchPath);

  it.each(['tool', 'bin/tool', './bin/tool'])('%s is a program', (command) => {
    expect(isFound(command)).toBe(true);
  });

  it.each(['', 'missing', 'folder', 'text', './tool', 'bin/text'])('%j is none', (command) => {
    expect(isFound(command)).toBe(false);
  });

  it('by its full path needs no PATH', () => {
    expect(isProgram('/bin/sh', '/', '')).toBe(true);
    expect(isProgram('sh', '/', undefined)).toBe(true);
  });
});
