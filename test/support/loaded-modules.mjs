// Loaded before a program by `--import`: at SIGUSR2 the program tells, in a line of its log, which packages it has loaded.
import Module from 'node:module';

process.on('SIGUSR2', () => {
  const loaded = Object.keys(Module._cache).filter((path) => path.includes('@opentelemetry'));
  process.stdout.write(`${JSON.stringify({ msg: 'loaded modules', loaded })}\n`);
});
