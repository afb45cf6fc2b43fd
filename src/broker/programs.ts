/** Programs of this build that run in processes of their own, beside the broker's. */
import { fileURLToPath } from 'node:url';

export type Programs = {
  /** Supervises one run: see runtime/shim.ts. */
  shim: string;
  /** Reads a whole journal: see journal/check.ts. */
  check: string;
};

export const PROGRAMS: Programs = {
  shim: fileURLToPath(new URL('./runtime/shim.js', import.meta.url)),
  check: fileURLToPath(new URL('./journal/check.js', import.meta.url)),
};
