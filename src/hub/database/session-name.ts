import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';

/**
 * The name under which the database server lists this process's sessions, made at every boot. Whoever declares
 * the process dead ends its sessions by it: a name cannot be taken over by a stranger, as a backend's pid can.
 */
@Injectable()
export class SessionName {
  readonly value = `fairlead-${uuidv7()}`;
}
