/** Colours carry no meaning that the text does not: they are for eyes on a terminal, and left out anywhere else. */

const CODES = { red: 31, green: 32, yellow: 33, dim: 2 } as const;

export type Colour = keyof typeof CODES;

export type Paint = (colour: Colour | undefined, text: string) => string;

/** Whether a stream is read by eyes that want colours (https://no-color.org). */
export function isColoured(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
}

export function painter(isOn: boolean): Paint {
  return (colour, text) => (isOn && colour !== undefined ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text);
}

/** The colour of a state, phase or presence, wherever one is shown. */
export function colourOf(state: string): Colour | undefined {
  switch (state) {
    case 'succeeded':
    case 'delivered':
    case 'open':
    case 'running':
    case 'online':
    case 'active':
      return 'green';
    case 'failed':
    case 'dead':
    case 'expired':
    case 'unreachable':
      return 'red';
    case 'pending':
    case 'claimed':
    case 'starting':
    case 'stopping':
    case 'deleting':
    case 'cordoned':
    case 'degraded':
    case 'draining':
      return 'yellow';
    case 'drained':
    case 'offline':
    case 'gone':
    case 'stopped':
    case 'cancelled':
    case 'created':
      return 'dim';
    default:
      return undefined;
  }
}
