/**
 * Run before a program, sets its wall clock off by FAULT_CLOCK_OFFSET_MS: what it reads of the time of day is wrong by so
 * much, while spans that it measures by the monotonic clock are right, as on a machine whose clock was set wrongly.
 */
const offsetMs = Number(process.env.FAULT_CLOCK_OFFSET_MS ?? '0');
delete process.env.FAULT_CLOCK_OFFSET_MS;
const RightDate = Date;

function now(): number {
  return RightDate.now() + offsetMs;
}

globalThis.Date = new Proxy(RightDate, {
  construct: (target, given: unknown[], newTarget) =>
    Reflect.construct(target, given.length === 0 ? [now()] : given, newTarget) as Date,
  // Called without `new` it gives the time of day as text, whatever it is given.
  apply: () => new RightDate(now()).toString(),
  get: (target, name, receiver): unknown => (name === 'now' ? now : Reflect.get(target, name, receiver)),
});
