/** SQL for the `seq` below which no row of a broker is alive. @param broker its id, an expression of the caller's */
export function floorOf(broker: string): string {
  return `coalesce((select floor.seq from broker_dispatch_floor floor where floor.broker_id = ${broker}), 0)`;
}
