/**
 * A process that uses the embedded database, as a hub does: asks for the server, says what it got, holds it until
 * it is told to release it, and ends. Plain JavaScript, on the built project.
 */
const [module, dataDir, options] = process.argv.slice(2);
const { ensureServer } = await import(module);
const logged = [];
try {
  const server = await ensureServer({
    dataDir,
    ...JSON.parse(options),
    log: (message) => logged.push(message),
  });
  process.on('message', () => {
    server.release().then(
      () => process.disconnect(),
      (error) => process.send({ failed: error.message }, () => process.exit(1)),
    );
  });
  const { url, port, started, directory } = server;
  process.send({ url, port, started, directory, logged });
} catch (error) {
  process.send({ failed: error.message, code: error.code }, () => process.exit(1));
}
