import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { commandsIn } from '../../scripts/docs/ci-steps.js';
import { commandsOf, readPage } from '../../scripts/docs/page.js';
import { readConfig } from '../../src/hub/config/hub-config.js';

const PATH = 'docs/install.md';
const page = readPage(PATH, readFileSync(PATH, 'utf8'));
const commands = commandsOf(page).flatMap(({ text }) => commandsIn(text));
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

describe('the page on installing, from top to bottom', () => {
  const placeOf = (start: string) => commands.findIndex((command) => command.startsWith(start));

  it('makes the keys before it tells anybody of them, and into files', () => {
    const made = commands.filter((command) => command.includes('openssl rand'));

    expect(made).toHaveLength(2);
    for (const command of made) expect(command).toMatch(/>[\w-]+\)$/);
    expect(placeOf('(umask 077; set -C; openssl')).toBe(0);
  });

  it('asks the hub for nothing before the command is installed, and somebody is signed in', () => {
    const signsIn = placeOf('fairlead login');
    const asks = commands.flatMap((command, place) =>
      /^fairlead (?!hub |login)/.test(command) ? [{ command, place }] : [],
    );

    expect(placeOf('npm install --global fairlead')).toBeLessThan(signsIn);
    expect(asks.some(({ command }) => command.startsWith('fairlead rollout report'))).toBe(true);
    expect(asks.filter(({ place }) => place < signsIn)).toEqual([]);
  });

  it('keeps no defaults of the chart before in an upgrade', () => {
    const upgrades = commands.filter((command) => command.startsWith('helm upgrade'));

    expect(upgrades).not.toEqual([]);
    for (const upgrade of upgrades) expect(upgrade).toContain(' --reset-then-reuse-values ');
  });
});

const units = page.blocks.flatMap(({ language, text }) => (language === 'ini' ? [text] : []));
const [ofHub = '', ofBroker = ''] = units;

describe.each([
  ['hub', ofHub],
  ['broker', ofBroker],
])('the unit of systemd of a %s', (what, text) => {
  it('starts with the machine, when there is a network', () => {
    const lines = text.split('\n');

    expect(lines.filter((line) => line.startsWith('['))).toEqual(['[Unit]', '[Service]', '[Install]']);
    expect(lines).toEqual(
      expect.arrayContaining([
        'Wants=network-online.target',
        'After=network-online.target',
        'WantedBy=multi-user.target',
        expect.stringContaining(`ExecStart=/usr/local/bin/fairlead ${what} start`),
      ]),
    );
  });

  (hasSystemd ? it : it.skip)('is one, by systemd, which does not take what is wrong', () => {
    const faultsOf = (unit: string) => {
      const folder = mkdtempSync(join(tmpdir(), 'fairlead-unit-'));
      const file = join(folder, 'fairlead.service');
      // What it starts has to be there.
      writeFileSync(file, unit.replace('/usr/local/bin/fairlead', process.execPath));
      const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], {
        encoding: 'utf8',
      });
      rmSync(folder, { recursive: true, force: true });
      return { status, said: stderr.split('\n').filter((line) => line.includes('fairlead.service')) };
    };

    expect(faultsOf(text)).toEqual({ status: 0, said: [] });
    expect(faultsOf(text.replace('RestartSec=2', 'RestartSec=soon')).said).toHaveLength(1);
    expect(faultsOf(text.replace('[Install]', '[Instal]')).said).toHaveLength(1);
  });
});

describe('the units of systemd', () => {
  it('give the drain of a hub the time that it may take, and 15 s', () => {
    const { drain } = readConfig({});

    expect(ofHub).toContain(`TimeoutStopSec=${drain.deadlineMs / 1_000 + 15}\n`);
  });

  it('let agents go on while their broker is restarted', () => {
    expect(units).toHaveLength(2);
    expect(ofBroker).toContain('KillMode=process\n');
    expect(ofBroker).not.toContain('--stop-agents');
  });
});
