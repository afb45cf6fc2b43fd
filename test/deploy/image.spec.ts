import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { DockerfileParser } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';

const text = readFileSync('Dockerfile', 'utf8');
const dockerfile = DockerfileParser.parse(text);
const of = (keyword: string) => dockerfile.getInstructions().filter((each) => each.getKeyword() === keyword);
const saidBy = (keyword: string) => of(keyword).map((each) => each.getArgumentsContent());

describe('the Dockerfile', () => {
  it('has nothing that a linter minds, which minds what is wrong', () => {
    expect(validate(text)).toEqual([]);
    expect(validate(`${text}\nMAINTAINER me`)).not.toEqual([]);
    expect(validate(text.replace('ENTRYPOINT', 'ENTRYPIONT'))).not.toEqual([]);
  });

  it('begins every stage with the same Node, by its whole version, or with a stage before', () => {
    const stages = dockerfile.getFROMs().map((each) => each.getBuildStage());
    const bases = dockerfile.getFROMs().map((each) => each.getImage()!);

    const foreign = [...new Set(bases.filter((base) => !stages.includes(base)))];

    expect(foreign).toHaveLength(1);
    expect(foreign[0]).toMatch(/^node:24\.\d+\.\d+-\w+-slim$/);
  });

  it('ends in the image for production, which has no PostgreSQL, and runs as nobody special', () => {
    const last = dockerfile.getFROMs().at(-1)!;
    const after = dockerfile
      .getInstructions()
      .filter((each) => each.getRange().start.line > last.getRange().start.line);

    expect(last.getBuildStage()).toBe('production');
    expect(after.map((each) => each.getTextContent())).toEqual([
      'COPY --from=without-postgresql /app /app',
      'RUN chmod +x /app/dist/src/cli/main.js',
      'USER 1000:1000',
    ]);
    expect(saidBy('USER')).toEqual(['1000:1000', '1000:1000']);
  });

  it('runs fairlead, ends by SIGTERM, which drains it, and writes to one folder', () => {
    expect(saidBy('ENTRYPOINT')).toEqual(['["fairlead"]']);
    expect(saidBy('CMD')).toEqual(['["hub", "start"]']);
    expect(saidBy('STOPSIGNAL')).toEqual(['SIGTERM']);
    expect(saidBy('ENV').join()).toContain('FAIRLEAD_DATA_DIR=/var/lib/fairlead');
    expect(of('HEALTHCHECK')).toHaveLength(1);
  });

  it('bears the labels by which an image is known', () => {
    for (const label of ['title', 'description', 'licenses', 'url', 'source', 'version', 'revision']) {
      expect(saidBy('LABEL').join()).toContain(`org.opencontainers.image.${label}=`);
    }
  });

  it('installs by the lock alone', () => {
    const installs = saidBy('RUN').filter((command) => /\bnpm (ci|i|install)\b/.test(command ?? ''));

    expect(installs).toHaveLength(2);
    for (const command of installs) expect(command).toContain('npm ci');
  });

  it('is given only what the build reads: nothing that is hidden, no database, no test', () => {
    const [first, ...others] = readFileSync('.dockerignore', 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));

    expect(first).toBe('*');
    expect(others.every((line) => /^![^.]/.test(line))).toBe(true);
    for (const name of ['test', 'node_modules', 'bench']) expect(others).not.toContain(`!${name}`);
  });
});
