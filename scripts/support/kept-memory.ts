/**
 * Run before a program, has it collect its garbage each time it is sent SIGUSR2, and add what it keeps then to the file that
 * KEPT_MEMORY_FILE names, a line each: bytes of the heap and of what lies beside it, without the code that V8 made of the program; and bytes
 * of that code. What a process holds of the system is mostly garbage, and room for garbage, of which a leak is a small part for
 * hours; and code is made for as long as parts of the program run more often than they did.
 */
import { appendFileSync } from 'node:fs';
import { getHeapCodeStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const file = process.env.KEPT_MEMORY_FILE ?? '';
delete process.env.KEPT_MEMORY_FILE;
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

process.on('SIGUSR2', () => {
  collect();
  // What lay beside the heap for what was collected is let go of in a turn of its own.
  setImmediate(() => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    const { code_and_metadata_size: code, bytecode_and_metadata_size: bytecode } = getHeapCodeStatistics();
    const compiled = code + bytecode;
    appendFileSync(file, `${heapUsed + external - compiled} ${compiled}\n`);
  });
});
