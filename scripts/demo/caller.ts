import { randomUUID } from 'node:crypto';
import type { AgentDto } from '../../src/hub/agents/dto/agent.dto.js';
import type { DispatchDto, DispatchEnvelopeDto, TrailDto } from '../../src/hub/dispatch/dto/dispatch.dto.js';
import type { RolloutPageDto } from '../../src/hub/drain/dto/rollout.dto.js';
import type { BrokerDto } from '../../src/hub/registry/dto/broker.dto.js';

/** A client of one replica, as any program would be. */
export class Caller {
  constructor(
    readonly url: string,
    readonly token: string,
  ) {}

  async joinToken(seats = 1): Promise<string> {
    return (await this.call<{ token: string }>('POST', '/join-tokens', { seats })).token;
  }

  async rollouts(): Promise<RolloutPageDto['items']> {
    return (await this.call<RolloutPageDto>('GET', '/rollouts')).items;
  }

  broker(name: string): Promise<BrokerDto> {
    return this.call('GET', `/brokers/${name}`);
  }

  createAgent(name: string, broker: string, script: string): Promise<AgentDto> {
    return this.call('POST', '/agents', { name, broker, spec: { command: '/bin/sh', args: ['-c', script] } });
  }

  async act(verb: 'start' | 'restart', agent: string): Promise<DispatchDto> {
    const { dispatch } = await this.call<DispatchEnvelopeDto>('POST', `/agents/${agent}/${verb}`);
    return dispatch;
  }

  async deleteAgent(agent: string): Promise<DispatchDto> {
    const { dispatch } = await this.call<DispatchEnvelopeDto>('DELETE', `/agents/${agent}`);
    return dispatch;
  }

  async logs(agent: string, lines: number): Promise<string[]> {
    return (await this.call<{ lines: string[] }>('GET', `/agents/${agent}/logs?lines=${lines}`)).lines;
  }

  /** The dispatch once it has ended, or as it stands after the wait. */
  async ended(id: string, waitS = 30): Promise<DispatchDto> {
    const { dispatch } = await this.call<DispatchEnvelopeDto>('GET', `/dispatches/${id}`, undefined, {
      prefer: `wait=${waitS}`,
    });
    return dispatch;
  }

  async trail(id: string): Promise<TrailDto['trail']> {
    return (await this.call<TrailDto>('GET', `/dispatches/${id}/trail`)).trail;
  }

  private async call<T>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<T> {
    const response = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(method === 'GET' ? {} : { 'idempotency-key': randomUUID() }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text}`);
    return JSON.parse(text) as T;
  }
}
