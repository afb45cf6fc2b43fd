/**
 * Room in the journal's file for what LMDB is about to write.
 *
 * Where LMDB finds no room it writes its message about that past the end of what it has for it (3.5.6, `mdb_page_flush`), which may end the
 * process. So the file is made longer before, with zeros that stand on the disk, and a write that finds no room fails here. What is spared
 * also lets short writes go on for a while where the disk has become full.
 *
 * How much a write comes to is reckoned, by more than LMDB takes: it copies each page that it changes, and lists the pages it does not need
 * any more. What it may use again inside of the file is not counted on. Lengths are in pages.
 */
import { closeSync, constants, fstatSync, openSync, statfsSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DATA_FILE, type Said } from './format.js';

/** Besides what is in it: the two halves of its leaf, the branch that leads there, and an entry in the list of free pages. */
const A_RECORD = 4;
/** What LMDB has of its own before the bytes of a large one, at most. */
const HEADER_BYTES = 32;
/** The roots, and the list. */
const A_COMMIT = 4;
/** Of many that are given at once lmdb commits some while the others come; fewer at once than so many are seldom. */
const COMMITTED_TOGETHER = 5;
/** The list may be written anew in one piece. */
const A_LIST = 16;
/** What is there beyond a write (3 MiB): for a full window of short commands, where the disk has become full. */
const SPARE = 768;
/** Only where the disk has so much left, in bytes, is any of it made ready before it is needed. */
const PLENTY_BYTES = 64 * 1024 * 1024;
const ZEROS = Buffer.alloc(1024 * 1024);

export class Room {
  private readonly path: string;
  private readonly pageSize: number;
  /** In the file. */
  private length: number;
  /** Of what is not settled yet. */
  private held = 0;
  /** How far LMDB may have come into the file when all is written that was held for since it was last looked at. */
  private reach: number;

  /** @param said of the journal in that folder */
  constructor(
    folder: string,
    private readonly said: () => Said,
  ) {
    this.path = join(folder, DATA_FILE);
    this.pageSize = said().pageSize;
    this.length = this.lengthNow();
    this.reach = this.length;
  }

  /**
   * Makes the file long enough for a write of its own.
   *
   * @param sizes of the records in it, in bytes; 0 for one that is removed
   * @param left pages that must be there besides, for others
   * @returns what is held for it, to be let go of once it is settled
   * @throws what the system says where there is no room: EFBIG, ENOSPC, EDQUOT
   */
  hold(sizes: readonly number[], left = 0): number {
    const commits = Math.ceil(sizes.length / COMMITTED_TOGETHER);
    return this.make(
      sizes.reduce((sum, size) => sum + this.pagesOf(size), commits * A_COMMIT),
      left,
    );
  }

  /** As `hold`, for a commit by which all of another journal is written to this one, which is empty, in the order of its keys. */
  holdAllOf({ treeLeafPageCount, treeBranchPageCount, overflowPages }: Said): number {
    // A leaf that is full is cut in half, and nothing is added to the first half any more.
    return this.make(2 * (treeLeafPageCount + treeBranchPageCount) + overflowPages + A_COMMIT, 0);
  }

  letGo(held: number): void {
    this.held -= held;
  }

  private pagesOf(size: number): number {
    return A_RECORD + (size === 0 ? 0 : Math.ceil((size + HEADER_BYTES) / this.pageSize));
  }

  private make(pages: number, left: number): number {
    const wanted = pages + A_LIST + left;
    if (this.reach + wanted + SPARE > this.length) {
      const reach = this.said().lastPageNumber + 1 + this.held;
      if (reach + wanted + SPARE > this.length) this.lengthenTo(reach + wanted);
      this.reach = reach;
    }
    this.reach += pages;
    this.held += pages;
    return pages;
  }

  /** @throws only where it is not even as long as it must be */
  private lengthenTo(length: number): void {
    try {
      append(this.path, length * this.pageSize);
      // And as much again, so that not each write has to.
      if (this.hasPlenty()) append(this.path, (length + 2 * SPARE) * this.pageSize);
    } catch (error) {
      if (this.lengthNow() < length) throw error;
    } finally {
      this.length = this.lengthNow();
    }
  }

  private hasPlenty(): boolean {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize > PLENTY_BYTES;
  }

  private lengthNow(): number {
    return Math.floor(statSync(this.path).size / this.pageSize);
  }
}

/** Wherever its end is by then: nothing of LMDB's is written over. */
function append(path: string, size: number): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_APPEND);
  try {
    let missing = size - fstatSync(file).size;
    while (missing > 0) missing -= writeSync(file, ZEROS, 0, Math.min(missing, ZEROS.length));
  } finally {
    closeSync(file);
  }
}
