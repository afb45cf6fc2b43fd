import { AUTH } from './auth.js';
import { CONNECTION } from './connection.js';
import { DISPATCH } from './dispatch.js';
import { LEAVING } from './leaving.js';
import type { Chapter } from './pitfall.js';
import { WAKE } from './wake.js';

export const CHAPTERS: readonly Chapter[] = [DISPATCH, WAKE, AUTH, CONNECTION, LEAVING];
