import { describe, expect, it } from '@jest/globals';
import { faultsOf } from './fault.js';
import { RULES, type Rule } from './rule.js';

describe('faultsOf', () => {
  it('counts every rule that can be broken as one fault', () => {
    for (const rule of Object.keys(RULES) as Rule[]) {
      const counts = faultsOf({ byRule: { [rule]: 2 } });

      expect({ rule, of: Object.values(counts).sort() }).toEqual({ rule, of: [0, 0, 0, 2] });
    }
  });

  it('adds those up that are the same fault to whoever gave the command', () => {
    const byRule = { settled: 1, effect_missing: 2, key_in_turn: 3, effect_once: 4 };

    expect(faultsOf({ byRule })).toEqual({ lost: 3, duplicated: 4, reordered: 3, irregular: 0 });
  });
});
