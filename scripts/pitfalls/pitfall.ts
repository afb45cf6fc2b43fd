/** A fault that was seen in other systems, in our words, and the tests that hold it out. */
export type Pitfall = {
  /** Never given anew, so that a number means the same for good. */
  number: number;
  fault: string;
  /** Each names a file and the full title of a test: those of its groups and its own, with a space between. */
  tests: readonly { file: string; title: string }[];
};

export type Chapter = { title: string; pitfalls: readonly Pitfall[] };

export function pitfall(number: number, fault: string, ...tests: [file: string, title: string][]): Pitfall {
  return { number, fault, tests: tests.map(([file, title]) => ({ file, title })) };
}
