/** Secrets that a test has put somewhere, by what they are, and where any of them can be read: in whatever form. */
export class Planted {
  private readonly forms = new Map<string, string[]>();

  /** @returns the secret, so that it can be planted where it is made */
  text(what: string, secret: string): string {
    // Whatever is shorter is found by chance.
    if (secret.length < 8) throw new Error(`${what} is too short to be looked for`);
    const bytes = Buffer.from(secret);
    this.add(what, [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)], bytes);
    return secret;
  }

  /** @param hex how the program is given it */
  bytes(what: string, hex: string): string {
    this.add(what, [hex, hex.toUpperCase()], Buffer.from(hex, 'hex'));
    return hex;
  }

  get kinds(): string[] {
    return [...this.forms.keys()];
  }

  /** One of each kind, as it is shown. */
  get samples(): string[] {
    return [...this.forms.values()].flatMap(([secret]) => secret ?? []);
  }

  /** What can be read in a text. */
  readIn(text: string): string[] {
    return [...this.forms].flatMap(([what, forms]) =>
      forms.some((form) => text.includes(form)) ? [what] : [],
    );
  }

  private add(what: string, plain: string[], bytes: Buffer): void {
    const known = this.forms.get(what) ?? [];
    this.forms.set(what, [...known, ...plain, bytes.toString('hex'), ...base64Of(bytes)]);
  }
}

/** As it reads within the base64 of something longer, wherever it begins there; both alphabets. */
function base64Of(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((before) => {
    const all = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64url');
    const inner = all.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
    return [inner, inner.replaceAll('-', '+').replaceAll('_', '/')];
  });
}
