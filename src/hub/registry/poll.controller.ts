import { Body, Controller, Headers, HttpCode, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { POLL_PATH } from '../../protocol/version.js';
import { Public } from '../auth/access.js';
import { From, type Origin } from '../auth/actor.js';
import { ApiOkResponse, ApiTags } from '../http/described.js';
import { told } from '../http/remote-address.js';
import { Admission, type Credential } from './admission.js';
import { PollAnswerDto, PollDto } from './dto/poll.dto.js';
import { Polls } from './polls.js';
import { Refusals, type Visitor } from './refusals.js';

type Context = Credential & { traceparent?: string };

/** The control channel over polls. Authenticated as the upgrade is: by the access token of a broker, and a proof of its key. */
@ApiTags('brokers')
@Controller()
export class PollController {
  constructor(
    private readonly polls: Polls,
    private readonly admission: Admission,
    private readonly refusals: Refusals,
  ) {}

  /**
   * Frames of the control channel in batches, for brokers whose network breaks WebSockets. Held for up to 25 s while
   * there is nothing to answer.
   */
  @Post(POLL_PATH)
  @Public()
  @HttpCode(200)
  @ApiOkResponse({ type: PollAnswerDto })
  async poll(
    @Headers() { traceparent, ...credential }: Context,
    @Body() { connectionId, ...sent }: PollDto,
    @From() { requestId, address }: Origin,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<PollAnswerDto> {
    const poll = { ...sent, frames: sent.frames.map(({ json }) => json) };
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const visitor: Visitor = { requestId, address: told(address) };
    const watch = <T>(enter: () => Promise<T>) => this.refusals.watch('poll', visitor, enter);
    if (connectionId === null) {
      const { settled, ...shown } = await watch(() => this.admission.admitPoll(credential, visitor));
      return this.polls.begin(shown, poll, settled, gone.signal);
    }
    const { brokerId, proof } = await watch(() => this.admission.brokerOf(credential, connectionId, visitor));
    return this.polls.poll(
      brokerId,
      connectionId,
      { ...poll, jti: proof.jti },
      { signal: gone.signal, traceparent },
    );
  }
}
