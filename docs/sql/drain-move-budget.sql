-- src/hub/drain/move-budget.repository.ts

-- take_turn_to_move_brokers
insert into move_budget as budget (is_the_one, free_at)
values (true, clock_timestamp() + make_interval(secs => $1::double precision))
on conflict (is_the_one) do update
set free_at = greatest(budget.free_at, clock_timestamp()) + make_interval(secs => $1::double precision)
returning greatest(
  0, extract(epoch from free_at - make_interval(secs => $1::double precision) - clock_timestamp()) * 1000
)::double precision as "waitMs";
