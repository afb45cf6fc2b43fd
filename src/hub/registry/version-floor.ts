import { CodedError } from '../problems/coded.error.js';

/** A version as far as a floor looks at it. */
export type Version = { readonly major: number; readonly minor: number };

/** "MAJOR.MINOR": numbers without leading zeros, small enough for the database's integers. */
export const VERSION = /^(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})$/;

/** What a broker says that it runs: "name/1.10.3-rc.1", or without the name. */
const OF_SOFTWARE = /^(?:[^/]*\/)?((?:0|[1-9]\d{0,5})\.(?:0|[1-9]\d{0,5}))(?:[.+-].*)?$/;

export class VersionMalformed extends CodedError {
  constructor() {
    const rule = 'must be MAJOR.MINOR, such as 1.10';
    super('request_invalid', undefined, { fields: [{ path: 'minBrokerVersion', rule }] });
  }
}

/** @throws VersionMalformed: what cannot be read must never admit anybody */
export function parseVersion(text: string): Version {
  const [, major, minor] = VERSION.exec(text) ?? [];
  if (major === undefined || minor === undefined) throw new VersionMalformed();
  return { major: Number(major), minor: Number(minor) };
}

/** Negative where the first is the older one; as numbers, so that 1.10 comes after 1.9. */
export function compareVersions(a: Version, b: Version): number {
  return a.major - b.major || a.minor - b.minor;
}

export function formatVersion({ major, minor }: Version): string {
  return `${major}.${minor}`;
}

/** The version in what a broker says of its software; null where none can be read, which is below every floor. */
export function versionOfSoftware(software: string): Version | null {
  const text = OF_SOFTWARE.exec(software)?.[1];
  return text === undefined ? null : parseVersion(text);
}

/** Whether a broker may be given new work in a project. No floor admits all. */
export function meetsFloor(version: Version | null, floor: Version | null): boolean {
  if (floor === null) return true;
  return version !== null && compareVersions(version, floor) >= 0;
}
