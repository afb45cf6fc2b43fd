-- src/hub/database/durable.ts

-- write_durable_note
select pg_logical_emit_message(true, 'fairlead', '') as at;
