/**
 * Room in the journal's file for what LMDB is about to write.
 *
 * Where LMDB finds no room it writes its message about that past the end of what it has for it (3.5.6, `mdb_page_flush`), which may end the
 * process. So the file is made longer before, with zeros that stand on the disk, and a write that finds no room fails here. What is spared
 * also lets short writes go on for a while where the disk has become full.
 *
 * How much a write comes to is reckoned, by more than LMDB takes: it copies each page that it changes, and lists the pages it does not need
 * any more. Lengths are in pages.
 */
import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DATA_FILE, type Said } from './format.js';

/** Besides what is in it: the two halves of its leaf, the branch that leads there, and an entry in the list of free pages. */
const A_RECORD = 4;
/** The roots, and the list. */
const A_COMMIT = 4;
/** What is made ready beyond a write, so that not each of them has to. */
const SPARE = 64;
const ZEROS = Buffer.alloc(1024 * 1024);

export class Room {
  /** None once it is closed: another file may have its number by then. */
  private file: number | null;
  private readonly pageSize: number;
  /** In the file. */
  private length: number;
  /** Of what is not settled yet. */
  private held = 0;
  /** How far LMDB may have come into the file when all is written that was held for since it was last looked at. */
  private reach: number;

  /** @param said what the journal in that folder says of itself by its last commit */
  constructor(
    path: string,
    private readonly said: () => Said,
  ) {
    // To append: wherever the end is by then, nothing of LMDB's is written over.
    this.file = openSync(join(path, DATA_FILE), 'a');
    this.pageSize = said().pageSize;
    this.length = lengthOf(this.file, this.pageSize);
    this.reach = this.length;
  }

  /**
   * Makes the file long enough for a write of its own.
   *
   * @param sizes of the records in it, in bytes; 0 for one that is removed
   * @returns what is held for it, to be let go of once it is settled
   * @throws what the system says where there is no room: EFBIG, ENOSPC, EDQUOT
   */
  hold(sizes: readonly number[]): number {
    const pages = sizes.reduce((sum, size) => sum + A_RECORD + Math.ceil(size / this.pageSize), A_COMMIT);
    if (this.reach + pages > this.length) {
      const reach = this.said().lastPageNumber + 1 + this.held;
      if (reach + pages > this.length) this.lengthenTo(reach + pages);
      this.reach = reach;
    }
    this.reach += pages;
    this.held += pages;
    return pages;
  }

  letGo(held: number): void {
    this.held -= held;
  }

  close(): void {
    if (this.file !== null) closeSync(this.file);
    this.file = null;
  }

  private lengthenTo(length: number): void {
    if (this.file === null) throw new Error('the journal is closed');
    try {
      append(this.file, (length + SPARE) * this.pageSize);
    } catch {
      append(this.file, length * this.pageSize);
    } finally {
      this.length = lengthOf(this.file, this.pageSize);
    }
  }
}

function append(file: number, size: number): void {
  let missing = size - fstatSync(file).size;
  while (missing > 0) missing -= writeSync(file, ZEROS, 0, Math.min(missing, ZEROS.length));
}

const lengthOf = (file: number, pageSize: number): number => Math.floor(fstatSync(file).size / pageSize);
