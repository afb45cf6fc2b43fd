/** Presses Ctrl-C when the command pauses for so long for the nth time; shorter pauses are those between attempts. */
export function ctrlCAtPause(nth: number, everyMs = 2_000): (ms: number) => void {
  let seen = 0;
  return (ms) => {
    if (ms === everyMs && (seen += 1) === nth) pressCtrlC();
  };
}

export function pressCtrlC(): void {
  process.emit('SIGINT');
}
