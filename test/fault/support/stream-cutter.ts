/** A part of a stream that passes or is held as a whole: a head, a WebSocket frame, or whatever came at once. */
export type Part = {
  bytes: Buffer;
  /** What is in it, unmasked. */
  text: string;
};

const END_OF_HEAD = '\r\n\r\n';

/**
 * Cuts what one side of an HTTP connection says into parts. After an upgrade to WebSocket each frame is one (RFC 6455
 * section 5.2); bytes of a plain connection are taken as they come.
 */
export class StreamCutter {
  private rest: Buffer = Buffer.alloc(0);
  private speaks: 'head' | 'frames' | 'plain' = 'head';

  take(chunk: Buffer): Part[] {
    this.rest = Buffer.concat([this.rest, chunk]);
    const parts: Part[] = [];
    for (let part = this.next(); part !== undefined; part = this.next()) parts.push(part);
    return parts;
  }

  private next(): Part | undefined {
    if (this.rest.length === 0) return undefined;
    if (this.speaks === 'frames') return this.frame();
    if (this.speaks === 'plain') return this.cut(this.rest.length);
    const end = this.rest.indexOf(END_OF_HEAD);
    if (end < 0) return undefined;
    const head = this.cut(end + END_OF_HEAD.length);
    this.speaks = /^upgrade: websocket/im.test(head.text) ? 'frames' : 'plain';
    return head;
  }

  private frame(): Part | undefined {
    const { rest } = this;
    if (rest.length < 2) return undefined;
    const isMasked = rest.readUInt8(1) >= 0x80;
    let length = rest.readUInt8(1) % 0x80;
    let at = 2;
    if (length >= 126) {
      const bytes = length === 126 ? 2 : 8;
      if (rest.length < at + bytes) return undefined;
      length = length === 126 ? rest.readUInt16BE(at) : Number(rest.readBigUInt64BE(at));
      at += bytes;
    }
    const mask = isMasked ? rest.subarray(at, at + 4) : undefined;
    if (isMasked) at += 4;
    return rest.length < at + length ? undefined : this.cut(at + length, at, mask);
  }

  private cut(length: number, from = 0, mask?: Buffer): Part {
    const bytes = this.rest.subarray(0, length);
    this.rest = this.rest.subarray(length);
    const said = bytes.subarray(from);
    const clear = mask === undefined ? said : said.map((byte, at) => byte ^ (mask[at % 4] ?? 0));
    return { bytes, text: Buffer.from(clear).toString() };
  }
}
