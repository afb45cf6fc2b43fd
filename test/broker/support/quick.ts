/** Times of links that dial again at once, so that a test need not wait for it. */
export const QUICK = {
  baseMs: 20,
  capMs: 400,
  goodLinkMs: 1_000,
  pingMs: 5_000,
  unansweredPings: 2,
  welcomeWithinMs: 2_000,
};
