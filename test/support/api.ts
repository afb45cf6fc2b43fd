/** Longer than any answer is waited for, and shorter than a test may take: what gets no answer is named so. */
const ANSWER_WITHIN_MS = 100_000;

/** A caller of the public API, as a program would be one. */
export class Api {
  constructor(
    private readonly url: string,
    private readonly token: string,
  ) {}

  /** The same caller at another replica. */
  at(url: string): Api {
    return new Api(url, this.token);
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; headers: Headers; body: any }> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
  }

  get(path: string, headers?: Record<string, string>) {
    return this.call('GET', path, undefined, headers);
  }

  post(path: string, body?: unknown, headers?: Record<string, string>) {
    return this.call('POST', path, body, headers);
  }

  /** Asks a broker for a ping, waiting at most so many seconds for its end. */
  async ping(
    broker: string,
    {
      waitS = 0,
      key,
      ...body
    }: { waitS?: number; key?: string; orderingKey?: string | null; lane?: string; contract?: string } = {},
  ) {
    const headers = {
      ...(waitS > 0 ? { prefer: `wait=${waitS}` } : {}),
      ...(key ? { 'idempotency-key': key } : {}),
    };
    return this.post(`/api/v1/brokers/${broker}/dispatches`, { op: 'broker.ping', ...body }, headers);
  }

  async dispatch(id: string, waitS = 0) {
    return (await this.get(`/api/v1/dispatches/${id}`, waitS > 0 ? { prefer: `wait=${waitS}` } : {})).body
      .dispatch;
  }

  async trail(id: string): Promise<{ state: string; reason?: string; attempt?: number; replica?: string }[]> {
    return (await this.get(`/api/v1/dispatches/${id}/trail`)).body.trail;
  }
}
